package cgroup

import specs "github.com/opencontainers/runtime-spec/specs-go"

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
		// The first process is born in the cgroup, which a limit of 0 would forbid. For
		// those that follow it is the same.
		limit = 1
	}
	p.add("pids.limit", "pids", limitV2(limit), "pids.max").needless = limit == -1
}
