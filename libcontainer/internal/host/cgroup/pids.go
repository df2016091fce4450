package cgroup

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci"
)

// pids plans linux.resources.pids (config-linux.md#pids).
func (p *plan) pids(l *specs.LinuxPids) {
	if l == nil || l.Limit == nil {
		return
	}
	limit := *l.Limit
	if limit < -1 {
		p.fail("pids.limit", "%d is neither a number of processes nor -1", limit)
		return
	}
	if limit == 0 && p.unified("pids") {
		// The first process starts in the cgroup, which a limit of 0 would forbid. For its
		// children 1 has the same effect.
		limit = 1
	}
	p.add("pids.limit", "pids", limitV2(limit), "pids.max").needless = limit == -1
}

// forks reports whether the init of a container forks after it has entered the cgroup.
func forks(s *specs.Spec) bool {
	pids := oci.Namespace(s, specs.PIDNamespace)
	return pids != nil && (pids.Path != "" || oci.Namespace(s, specs.UserNamespace) != nil)
}

// withoutFork separates the settings with which no process of the cgroup could fork.
func withoutFork(settings []setting) (possible, impossible []setting) {
	for _, s := range settings {
		if s.files[0] == "pids.max" && (s.value == "0" || s.value == "1") {
			impossible = append(impossible, s)
		} else {
			possible = append(possible, s)
		}
	}
	return possible, impossible
}

// Settle applies the limits that would have stopped the init. It is called when the final process
// of the container exists.
func (m *Manager) Settle() error {
	if len(m.settle) == 0 {
		return nil
	}
	_, err := m.apply(m.settle, false)
	if err == nil {
		err = m.updateScope(m.settle)
	}
	if err != nil {
		return fmt.Errorf("apply the limits: %w", err)
	}
	return nil
}
