package seccomp

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Verdict is the action of a profile for a system call of the native architecture.
type Verdict struct {
	Name   string
	Action specs.LinuxSeccompAction
	// Conditional reports whether the action depends on the call's arguments. Action is then not
	// set.
	Conditional bool
}

// Verdicts returns the action of a profile for every system call of the native architecture,
// sorted by name. They are the answers of the compiled filter.
func Verdicts(p *specs.LinuxSeccomp) ([]Verdict, error) {
	f, err := Compile(p)
	if err != nil {
		return nil, err
	}
	a := native()
	if a == nil {
		return nil, errNoNative
	}
	var verdicts []Verdict
	for i, name := range callNames {
		slot := a.slot(i)
		if slot < 0 {
			continue
		}
		v := Verdict{Name: name, Conditional: conditional(p, name)}
		if !v.Conditional {
			v.Action = ActionName(f.Answer(Call{Number: a.number(slot), Arch: a.audit}))
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}

// conditional reports whether all rules for a call have conditions on its arguments.
func conditional(p *specs.LinuxSeccomp, name string) bool {
	conditions := false
	for i := range p.Syscalls {
		s := &p.Syscalls[i]
		if s.Action == p.DefaultAction || !slices.Contains(s.Names, name) {
			continue
		}
		if len(s.Args) == 0 {
			return false
		}
		conditions = true
	}
	return conditions
}
