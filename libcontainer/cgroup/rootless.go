package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Forgo is for a process without privileges. It leaves out the hierarchies in which the
// process may not make a cgroup, for a container that does not depend on one: it stays in
// the cgroup of its caller there. The names of these hierarchies are returned.
//
// A configuration that names a cgroup or wants limits does depend on it. It has no side
// effects, and has to be called before [Manager.Claim].
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
	if name := limited(s, left, m.saved.Unified); name != "" {
		return nil, fmt.Errorf("apply the limits (%s): this user may not make cgroups in %s (a systemd user session with delegated controllers allows it on hosts with cgroup v2)", name, strings.Join(left, ", "))
	}
	if len(m.saved.Paths) == 0 {
		m.saved.Driver = Disabled
	}
	return left, nil
}

// mayMake tells whether this process may make a cgroup and, in the unified hierarchy, be
// born in it.
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
	// A process that moves between two cgroups needs the right to write to the list of
	// the one that they have in common (cgroups(7), delegation).
	return may(parent) && (!unified || may(filepath.Join(parent, "cgroup.procs")))
}

func hierarchyName(key string) string {
	if key == unifiedKey {
		return "the unified hierarchy"
	}
	return strings.TrimPrefix(key, "name=")
}

// limited is the property that asks for limits in one of the hierarchies, "" without one.
// Rules for devices do not count: engines always have some.
func limited(s *specs.Spec, left []string, unified bool) string {
	if s.Linux == nil || s.Linux.Resources == nil {
		return ""
	}
	r := s.Linux.Resources
	for _, l := range []struct {
		used        bool
		name        string
		controllers []string
	}{
		{r.Memory != nil && *r.Memory != (specs.LinuxMemory{}), "memory", []string{"memory"}},
		{r.CPU != nil && *r.CPU != (specs.LinuxCPU{}), "cpu", []string{"cpu", "cpuset"}},
		{r.Pids != nil && r.Pids.Limit != nil, "pids", []string{"pids"}},
		{r.BlockIO != nil, "blockIO", []string{"blkio"}},
		{len(r.HugepageLimits) > 0, "hugepageLimits", []string{"hugetlb"}},
		{r.Network != nil, "network", []string{"net_cls", "net_prio"}},
		{len(r.Rdma) > 0, "rdma", []string{"rdma"}},
		{len(r.Unified) > 0, "unified", nil},
	} {
		if l.used && (unified || slices.ContainsFunc(l.controllers, func(c string) bool { return slices.Contains(left, c) })) {
			return "linux.resources." + l.name
		}
	}
	return ""
}
