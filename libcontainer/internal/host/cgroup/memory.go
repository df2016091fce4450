package cgroup

import (
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// given reports whether a number is given. Engines write 0 for values that their users did not
// set, and 0 cannot be meant: no process can run with a limit of 0 for memory or CPU time.
func given[T int64 | uint64 | uint16](v *T) bool { return v != nil && *v != 0 }

func itoa(v int64) string  { return strconv.FormatInt(v, 10) }
func utoa(v uint64) string { return strconv.FormatUint(v, 10) }

// memory plans linux.resources.memory (config-linux.md#memory).
func (p *plan) memory(m *specs.LinuxMemory) {
	if m == nil {
		return
	}
	for _, l := range []struct {
		name  string
		value *int64
	}{{"limit", m.Limit}, {"reservation", m.Reservation}, {"swap", m.Swap}, {"kernelTCP", m.KernelTCP}} {
		if l.value != nil && *l.value < -1 {
			p.fail("memory."+l.name, "%d is neither a number of bytes nor -1", *l.value)
			return
		}
	}
	const noKernelLimit = "has no effect: Linux has no such limit any more"
	//lint:ignore SA1019 deprecated is not gone: it is told
	if k := m.Kernel; given(k) && *k != -1 {
		p.warnProperty("memory.kernel", noKernelLimit)
	}
	if k := m.KernelTCP; given(k) && *k != -1 && (p.unified("memory") || !p.hasFile("memory", kernelTCPFile)) {
		p.warnProperty("memory.kernelTCP", "has no effect: this kernel has no such limit, or not with this version of cgroups")
	}
	if given(m.Limit) && *m.Limit > 0 && given(m.Swap) && *m.Swap > 0 && *m.Swap < *m.Limit {
		p.fail("memory.swap", "%d is less than the limit of %d: it is the sum of memory and swap", *m.Swap, *m.Limit)
		return
	}
	if m.UseHierarchy != nil && !*m.UseHierarchy {
		p.warnProperty("memory.useHierarchy", "has no effect: Linux always counts what is in cgroups below")
	}
	if p.unified("memory") {
		p.memoryV2(m)
	} else {
		p.memoryV1(m)
	}
}

// kernelTCPFile exists on cgroup v1, but not in all kernels.
const kernelTCPFile = "memory.kmem.tcp.limit_in_bytes"

func (p *plan) memoryV1(m *specs.LinuxMemory) {
	if m.UseHierarchy != nil && *m.UseHierarchy {
		p.add("memory.useHierarchy", "memory", "1", "memory.use_hierarchy").needless = true
	}
	if given(m.Limit) {
		p.add("memory.limit", "memory", itoa(*m.Limit), "memory.limit_in_bytes")
	}
	switch {
	case given(m.Swap):
		s := p.add("memory.swap", "memory", itoa(*m.Swap), "memory.memsw.limit_in_bytes")
		s.needless = *m.Swap == -1
		s.reason = lessThanMemory
	case given(m.Limit) && *m.Limit == -1:
		// No limit of memory means no limit of memory and swap, either.
		p.add("memory.limit", "memory", "-1", "memory.memsw.limit_in_bytes").needless = true
	}
	if given(m.Reservation) {
		p.add("memory.reservation", "memory", itoa(*m.Reservation), "memory.soft_limit_in_bytes")
	}
	if given(m.KernelTCP) && p.hasFile("memory", kernelTCPFile) {
		p.add("memory.kernelTCP", "memory", itoa(*m.KernelTCP), kernelTCPFile)
	}
	if m.Swappiness != nil {
		if *m.Swappiness > 100 {
			p.fail("memory.swappiness", "%d is more than 100", *m.Swappiness)
			return
		}
		p.add("memory.swappiness", "memory", utoa(*m.Swappiness), "memory.swappiness")
	}
	if d := m.DisableOOMKiller; d != nil && (*d || !p.fresh) {
		value := "0"
		if *d {
			value = "1"
		}
		s := p.add("memory.disableOOMKiller", "memory", value, "memory.oom_control")
		s.restore = func(content string) string { return fieldOf(content, "oom_kill_disable") }
	}
}

func (p *plan) memoryV2(m *specs.LinuxMemory) {
	if m.Swappiness != nil {
		p.warnProperty("memory.swappiness", "has no effect: cgroup v2 has nothing like it")
	}
	if m.DisableOOMKiller != nil && *m.DisableOOMKiller {
		p.warnProperty("memory.disableOOMKiller", "has no effect: cgroup v2 has nothing like it")
	}
	if m.CheckBeforeUpdate != nil && *m.CheckBeforeUpdate && !p.fresh {
		usage, err := strconv.ParseInt(p.current("memory", "memory.current"), 10, 64)
		for _, limit := range []*int64{m.Limit, m.Swap} {
			if err == nil && given(limit) && *limit > 0 && *limit <= usage {
				p.fail("memory.limit", "%d is not above the %d bytes that the container uses, and memory.checkBeforeUpdate forbids that", *limit, usage)
				return
			}
		}
	}
	if swap, ok := p.swapV2(m); ok {
		s := p.add("memory.swap", "memory", limitV2(swap), "memory.swap.max")
		// A kernel without swap does not have the file. No limit and no swap are then both true.
		s.needless = swap == -1 || swap == 0
	}
	if given(m.Limit) {
		p.add("memory.limit", "memory", limitV2(*m.Limit), "memory.max")
	}
	if given(m.Reservation) {
		p.add("memory.reservation", "memory", limitV2(*m.Reservation), "memory.low")
	}
}

// swapV2 returns the limit of swap alone, which is what cgroup v2 has; the configuration has the
// sum of memory and swap.
func (p *plan) swapV2(m *specs.LinuxMemory) (limit int64, ok bool) {
	switch {
	case !given(m.Swap):
		// No limit of memory means no limit of memory and swap, either.
		return -1, given(m.Limit) && *m.Limit == -1
	case *m.Swap == -1:
		return -1, true
	}
	memory := int64(-1)
	if given(m.Limit) {
		memory = *m.Limit
	} else if v, err := strconv.ParseInt(p.current("memory", "memory.max"), 10, 64); err == nil {
		memory = v
	} else if p.fresh {
		p.failProperty("memory.swap", "needs memory.limit: it is the sum of memory and swap, and cgroup v2 limits each")
		return 0, false
	}
	switch {
	case memory == -1:
		return *m.Swap, true
	case *m.Swap < memory:
		p.fail("memory.swap", "%d is less than the limit of %d: it is the sum of memory and swap", *m.Swap, memory)
		return 0, false
	}
	return *m.Swap - memory, true
}

// limitV2 returns a limit in the format of cgroup v2.
func limitV2(v int64) string {
	if v == -1 {
		return "max"
	}
	return itoa(v)
}
