package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
)

// Forgo is for a process without privileges. It leaves out the hierarchies in which the process
// may not make a cgroup, unless the container depends on one. There the container stays in its
// caller's cgroup. Forgo returns the names of these hierarchies.
//
// A configuration that names a cgroup or sets limits depends on it. Forgo has no side effects,
// and has to be called before [Manager.Claim].
func (m *Manager) Forgo(s *specs.Spec) (left []string, err error) {
	m.rootless = true
	if s.Linux != nil && s.Linux.CgroupsPath != "" || m.scope != nil {
		return nil, nil
	}
	for key, dir := range m.saved.Paths {
		if !mayMake(dir, key == unifiedKey) {
			delete(m.saved.Paths, key)
			left = append(left, hierarchyName(key))
		}
	}
	slices.Sort(left)
	if len(left) == 0 {
		return nil, nil
	}
	m.look()
	if name := m.plan.limited(left, m.saved.Unified); name != "" {
		err := fault.Facts{Code: fault.NotPermitted, Property: name}.Errorf("apply the limits (%s): this user may not make cgroups in %s", name, strings.Join(left, ", "))
		return nil, fault.Hinted(err, "a systemd user session with delegated controllers allows it on hosts with cgroup v2")
	}
	if len(m.saved.Paths) == 0 {
		m.saved.Driver = Disabled
	}
	return left, nil
}

// mayMake reports whether this process may make a cgroup and, in the unified hierarchy, start a
// process in it.
func mayMake(dir string, unified bool) bool {
	parent := filepath.Dir(dir)
	for parent != mountpoint && unix.Access(parent, unix.F_OK) != nil {
		parent = filepath.Dir(parent)
	}
	may := func(path string) bool {
		return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS) == nil
	}
	if _, err := os.Stat(dir); err == nil {
		return may(dir)
	}
	// To move a process between two cgroups, one needs write permission for cgroup.procs of their
	// common ancestor (cgroups(7), delegation).
	return may(parent) && (!unified || may(filepath.Join(parent, "cgroup.procs")))
}

func hierarchyName(key string) string {
	if key == unifiedKey {
		return "the unified hierarchy"
	}
	return strings.TrimPrefix(key, "name=")
}

// limited returns the property that sets a limit in one of the hierarchies, or in any hierarchy
// with all; "" when there is none. Device rules do not count, because engines always set some.
func (p *plan) limited(left []string, all bool) string {
	for _, s := range p.settings {
		if !s.needless && (all || slices.Contains(left, s.controller)) {
			return resourcesPointer + "." + s.pointer
		}
	}
	return ""
}
