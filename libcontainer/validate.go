package libcontainer

import (
	"errors"

	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/bundle"
)

// Inspection is the result of checking a bundle.
type Inspection = bundle.Inspection

// Finding is a problem or warning with its position.
type Finding = bundle.Finding

// Validate runs the checks of Create on the bundle in dir, the current directory when empty, and
// does not stop at the first problem. config is the path of the configuration, config.json in dir
// when empty.
//
// What is wrong everywhere is found in any case; of the host its version of cgroups matters,
// the rootfs, and whether a namespace is the host's own. With host, what cannot work here, for
// this user, is found too, once nothing else is wrong: it is tried, or looked at.
//
// It has no side effects, and needs no privileges. The error is for a bundle that has no
// configuration or one that cannot be read.
func (r *Runtime) Validate(dir, config string, host bool) (_ *Inspection, err error) {
	defer explain(&err, "", "validate")
	return bundle.Inspect(bundle.Place{Dir: dir, Config: config}, func(b *bundle.Bundle, valid bool) (problems, warnings []bundle.Problem) {
		problems, warnings = cgroup.Check(b.Spec, r.CgroupDriver)
		if !valid || len(problems) > 0 {
			// Only a valid configuration can be compiled.
			return append(problems, compile.CheckFilter(b.Spec)...), warnings
		}
		out, wrong := compile.Check(compile.Input{Bundle: b, ID: checkID, Host: anyHost()})
		problems = append(problems, wrong...)
		problems = append(problems, hostNamespaces(out.Sources)...)
		if !host || len(problems) > 0 {
			return problems, append(append(warnings, out.Warnings...), out.Remarks...)
		}
		c := hostCheck{runtime: r, bundle: b, spec: b.Spec}
		c.run()
		return c.problems, append(warnings, c.warnings...)
	})
}

// checkID is the id of a container that is only checked.
const checkID = "coracle-validate"

// anyHost returns a host that supports everything.
func anyHost() compile.Host {
	return compile.Host{
		LastCap: lastCap(), Capabilities: ^uint64(0), Shared: shared, Cgroups: []compile.Hierarchy{{Path: "/sys/fs/cgroup/" + checkID}},
		Readlink: func(path string) (string, error) {
			target, _ := readlink(path)
			return target, nil
		},
		Look: func(path string) (compile.Found, error) {
			found, _ := look(path)
			return found, nil
		},
		Follow: follow,
	}
}

// hostNamespaces finds namespaces of the host that would be changed. A namespace that does not
// exist, or that this user may not examine, is not its concern.
func hostNamespaces(sources []source.Source) (problems []bundle.Problem) {
	for _, s := range sources {
		ns, ok := s.(source.Namespace)
		if !ok || ns.Alters == "" {
			continue
		}
		n, err := ns.Open(nil)
		fd := linux.NewFD(n)
		fd.Close()
		if ours := (source.HostError{}); errors.As(err, &ours) {
			problems = append(problems, bundle.Problem{Property: ours.Property, Text: ours.Text})
		}
	}
	return problems
}

// problemOf turns an error about a property into a problem. An error that knows its own property
// keeps it.
func problemOf(pointer string, err error) bundle.Problem {
	var known bundle.Problem
	var refused compile.Problem
	var ours source.HostError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &refused):
		return refused.Problem
	case errors.As(err, &ours):
		return bundle.Problem{Property: ours.Property, Text: ours.Text}
	}
	return bundle.Problem{Property: pointer, Text: err.Error()}
}
