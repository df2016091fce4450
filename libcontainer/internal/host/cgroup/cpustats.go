package cgroup

import (
	"strings"

	"coracle/libcontainer/internal/oci"
)

// CPUStats is the CPU time of a container, used and denied.
type CPUStats struct {
	Usage      CPUUsage      `json:"usage"`
	Throttling CPUThrottling `json:"throttling"`
	Burst      CPUBurst      `json:"burst"`
	PSI        *Pressure     `json:"psi,omitempty"`
}

// CPUUsage is in nanoseconds.
type CPUUsage struct {
	Total        uint64   `json:"total,omitempty"`
	Percpu       []uint64 `json:"percpu,omitempty"`
	PercpuKernel []uint64 `json:"percpu_kernel,omitempty"`
	PercpuUser   []uint64 `json:"percpu_user,omitempty"`
	Kernel       uint64   `json:"kernel"`
	User         uint64   `json:"user"`
}

// CPUThrottling counts periods, and periods in which the quota was used up. Its time is how long
// processes waited for the next period.
type CPUThrottling struct {
	Periods          uint64 `json:"periods,omitempty"`
	ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
	ThrottledTime    uint64 `json:"throttledTime,omitempty"`
}

// CPUBurst counts periods in which saved time was used, and that time.
type CPUBurst struct {
	Periods uint64 `json:"periods,omitempty"`
	Time    uint64 `json:"time,omitempty"`
}

// CPUSetStats are the CPUs and memory nodes of a container.
type CPUSetStats struct {
	CPUs                  []int  `json:"cpus,omitempty"`
	CPUExclusive          uint64 `json:"cpu_exclusive"`
	Mems                  []int  `json:"mems,omitempty"`
	MemHardwall           uint64 `json:"mem_hardwall"`
	MemExclusive          uint64 `json:"mem_exclusive"`
	MemoryMigrate         uint64 `json:"memory_migrate"`
	MemorySpreadPage      uint64 `json:"memory_spread_page"`
	MemorySpreadSlab      uint64 `json:"memory_spread_slab"`
	MemoryPressure        uint64 `json:"memory_pressure"`
	SchedLoadBalance      uint64 `json:"sched_load_balance"`
	SchedRelaxDomainLevel int64  `json:"sched_relax_domain_level"`
}

func cpuStatsV1(cpu, acct counters) CPUStats {
	stat := cpu.table("cpu.stat")
	s := CPUStats{
		Throttling: CPUThrottling{Periods: stat["nr_periods"], ThrottledPeriods: stat["nr_throttled"], ThrottledTime: stat["throttled_time"]},
		Burst:      CPUBurst{Periods: stat["nr_bursts"], Time: stat["burst_time"]},
		Usage: CPUUsage{
			Total: acct.number("cpuacct.usage"), Kernel: acct.number("cpuacct.usage_sys"), User: acct.number("cpuacct.usage_user"),
		},
	}
	for n := range strings.FieldsSeq(acct.text("cpuacct.usage_percpu")) {
		s.Usage.Percpu = append(s.Usage.Percpu, parseCount(n))
	}
	// A title line, then a line for each CPU: number, user, system.
	for line := range strings.Lines(acct.text("cpuacct.usage_all")) {
		if f := strings.Fields(line); len(f) == 3 && f[0] != "cpu" {
			s.Usage.PercpuUser = append(s.Usage.PercpuUser, parseCount(f[1]))
			s.Usage.PercpuKernel = append(s.Usage.PercpuKernel, parseCount(f[2]))
		}
	}
	return s
}

func cpuStatsV2(c counters) CPUStats {
	const micro = 1000
	stat := c.table("cpu.stat")
	return CPUStats{
		Usage:      CPUUsage{Total: micro * stat["usage_usec"], Kernel: micro * stat["system_usec"], User: micro * stat["user_usec"]},
		Throttling: CPUThrottling{Periods: stat["nr_periods"], ThrottledPeriods: stat["nr_throttled"], ThrottledTime: micro * stat["throttled_usec"]},
		Burst:      CPUBurst{Periods: stat["nr_bursts"], Time: micro * stat["burst_usec"]},
	}
}

func cpusetStatsV1(c counters) CPUSetStats {
	s := CPUSetStats{
		CPUs: sortedList(c.text("cpuset.cpus")), Mems: sortedList(c.text("cpuset.mems")),
		CPUExclusive: c.number("cpuset.cpu_exclusive"), MemHardwall: c.number("cpuset.mem_hardwall"),
		MemExclusive: c.number("cpuset.mem_exclusive"), MemoryMigrate: c.number("cpuset.memory_migrate"),
		MemorySpreadPage: c.number("cpuset.memory_spread_page"), MemorySpreadSlab: c.number("cpuset.memory_spread_slab"),
		MemoryPressure: c.number("cpuset.memory_pressure"), SchedLoadBalance: c.number("cpuset.sched_load_balance"),
	}
	s.SchedRelaxDomainLevel = -1
	if text := strings.TrimSpace(c.text("cpuset.sched_relax_domain_level")); !strings.HasPrefix(text, "-") {
		s.SchedRelaxDomainLevel = int64(parseCount(text))
	}
	return s
}

func cpusetStatsV2(c counters) CPUSetStats {
	return CPUSetStats{CPUs: sortedList(c.text("cpuset.cpus.effective")), Mems: sortedList(c.text("cpuset.mems.effective"))}
}

func sortedList(list string) []int {
	set, _ := oci.ParseList(list)
	return set.Sorted()
}
