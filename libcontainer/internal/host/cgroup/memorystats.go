package cgroup

import "math"

// MemoryStats is the memory usage of a container. Swap is the sum of memory and swap.
type MemoryStats struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     MemoryEntry       `json:"usage"`
	Swap      MemoryEntry       `json:"swap"`
	Kernel    MemoryEntry       `json:"kernel"`
	KernelTCP MemoryEntry       `json:"kernelTCP"`
	Raw       map[string]uint64 `json:"raw,omitempty"` // memory.stat
	PSI       *Pressure         `json:"psi,omitempty"`
	// Events counts what happened at the limits, by the names in memory.events.
	Events map[string]uint64 `json:"event_count,omitempty"`
}

// MemoryEntry is the usage of one kind of memory. Max is the peak usage, Failcnt how often the
// limit was reached.
type MemoryEntry struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

func memoryStatsV1(c counters) MemoryStats {
	entry := func(prefix string) MemoryEntry {
		return MemoryEntry{
			Limit: c.number(prefix + ".limit_in_bytes"), Usage: c.number(prefix + ".usage_in_bytes"),
			Max: c.number(prefix + ".max_usage_in_bytes"), Failcnt: c.number(prefix + ".failcnt"),
		}
	}
	raw := c.table("memory.stat")
	s := MemoryStats{
		Cache: raw["cache"], Raw: raw,
		Usage: entry("memory"), Swap: entry("memory.memsw"), Kernel: entry("memory.kmem"), KernelTCP: entry("memory.kmem.tcp"),
	}
	if control := c.table("memory.oom_control"); len(control) > 0 {
		s.Events = map[string]uint64{"oom_kill": control["oom_kill"]}
	}
	return s
}

func memoryStatsV2(c counters) MemoryStats {
	raw := c.table("memory.stat")
	events := c.table("memory.events")
	s := MemoryStats{
		Cache: raw["file"], Raw: raw, Events: events,
		Usage:  MemoryEntry{Limit: c.number("memory.max"), Usage: c.number("memory.current"), Max: c.number("memory.peak"), Failcnt: events["max"]},
		Kernel: MemoryEntry{Usage: raw["kernel"]},
	}
	// cgroup v2 counts swap alone.
	s.Swap = MemoryEntry{Limit: c.number("memory.swap.max"), Usage: s.Usage.Usage + c.number("memory.swap.current"), Failcnt: c.table("memory.swap.events")["max"]}
	if s.Usage.Limit == math.MaxUint64 || s.Swap.Limit > math.MaxUint64-s.Usage.Limit {
		s.Swap.Limit = math.MaxUint64
	} else {
		s.Swap.Limit += s.Usage.Limit
	}
	return s
}
