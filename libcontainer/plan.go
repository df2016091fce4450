package libcontainer

import (
	"bytes"
	"fmt"
	"io"

	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci/bundle"
	"coracle/libcontainer/internal/state"
)

// Plan describes what Create would do.
type Plan struct {
	// Namespaces are the namespaces that are created when the init program is launched.
	Namespaces string `json:"namespaces"`
	// Descriptors are the descriptors of the init program, by number.
	Descriptors []PlanDescriptor `json:"descriptors"`
	// Ops is the init program.
	Ops []program.Line `json:"ops"`

	program *program.Program
}

// PlanDescriptor is a descriptor that the init program gets from the runtime.
type PlanDescriptor struct {
	FD   int    `json:"fd"`
	What string `json:"what"`
}

// Plan compiles a bundle and describes the result. It has no side effects and needs
// no privileges.
func (r *Runtime) Plan(id string, o CreateOptions) (_ *Plan, err error) {
	defer explain(&err, id, "plan")
	if err := state.CheckID(id); err != nil {
		return nil, err
	}
	b, warnings, err := bundle.Load(bundle.Place{Dir: o.Bundle, Config: o.Config})
	for _, w := range warnings {
		r.remark("%v", w)
	}
	if err != nil {
		return nil, err
	}
	group, err := cgroup.New(b.Spec, id, r.CgroupDriver)
	if err != nil {
		return nil, err
	}
	for _, w := range group.Warnings() {
		r.warn("%s", w)
	}
	host := r.host(b.Spec, group, o.NoPivot)
	host.Maker = namespaceMaker(b.Spec)
	out, err := compile.Init(compile.Input{
		Bundle: b, ID: id, Host: host, NoPivot: o.NoPivot, NoNewKeyring: o.NoNewKeyring,
		Keyring:   compile.KeyringName(id, "RANDOM"),
		Preserved: make([]bool, o.PreserveFDs),
	})
	if err != nil {
		return nil, err
	}
	r.report(out)
	return newPlan(out), nil
}

func newPlan(out *compile.Output) *Plan {
	p := &Plan{Namespaces: program.CloneFlags(uint64(out.CloneFlags)), Ops: out.Program.Lines(), program: out.Program}
	add := func(fd int, what string) {
		if fd >= 0 {
			p.Descriptors = append(p.Descriptors, PlanDescriptor{fd, what})
		}
	}
	add(out.Socket, "conversation with the runtime")
	add(out.Gate, "gate")
	add(out.Console, "socket for the terminal")
	add(out.Image, "image of the init program")
	for i, s := range out.Sources {
		add(out.SourceFD+i, source.Describe(s))
	}
	return p
}

// WriteBrief writes the steps without their system calls.
func (p *Plan) WriteBrief(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "launch the init program with %s\n", p.Namespaces); err != nil {
		return err
	}
	return p.program.WriteBrief(w)
}

// WriteTo writes the plan as text.
func (p *Plan) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "launch the init program with %s\n", p.Namespaces)
	for _, d := range p.Descriptors {
		fmt.Fprintf(&b, "  fd %-3d %s\n", d.FD, d.What)
	}
	if _, err := p.program.WriteTo(&b); err != nil {
		return 0, err
	}
	return b.WriteTo(w)
}
