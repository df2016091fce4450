package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"coracle/libcontainer"
)

// metrics writes the text format of OpenMetrics 1.0 (OpenMetrics specification, "Text format").
// The names are those of cAdvisor, where it has one for the same thing.
type metrics struct {
	b  strings.Builder
	id string
}

// family begins a family of samples. Counters have the suffix _total on their samples only.
func (m *metrics) family(name, kind, unit, help string) {
	fmt.Fprintf(&m.b, "# TYPE %s %s\n", name, kind)
	if unit != "" {
		fmt.Fprintf(&m.b, "# UNIT %s %s\n", name, unit)
	}
	fmt.Fprintf(&m.b, "# HELP %s %s\n", name, help)
}

// sample adds a sample with labels, given as names and values, besides the id.
func (m *metrics) sample(name string, value float64, labels ...string) {
	fmt.Fprintf(&m.b, "%s{id=%s", name, quoteLabel(m.id))
	for i := 0; i+1 < len(labels); i += 2 {
		fmt.Fprintf(&m.b, ",%s=%s", labels[i], quoteLabel(labels[i+1]))
	}
	fmt.Fprintf(&m.b, "} %s\n", strconv.FormatFloat(value, 'g', -1, 64))
}

// quoteLabel quotes the value of a label.
func quoteLabel(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// gauge and counter are families with one sample.
func (m *metrics) gauge(name, unit, help string, value float64) {
	m.family(name, "gauge", unit, help)
	m.sample(name, value)
}

func (m *metrics) counter(name, unit, help string, value float64) {
	m.family(name, "counter", unit, help)
	m.sample(name+"_total", value)
}

// limit is a gauge of a limit. One that is not set has no sample.
func (m *metrics) limit(name, unit, help string, value uint64) {
	// The kernel rounds "none" down to whole pages.
	const none = math.MaxInt64 - 1<<20
	if value > 0 && value < none {
		m.gauge(name, unit, help, float64(value))
	}
}

const nanoseconds = 1e9

// openMetrics is the statistics of a container as OpenMetrics, closed by the mark of its end.
func openMetrics(id string, s *libcontainer.Stats) string {
	m := &metrics{id: id}
	m.counter("container_cpu_usage_seconds", "seconds", "CPU time used.", float64(s.CPU.Usage.Total)/nanoseconds)
	m.counter("container_cpu_user_seconds", "seconds", "CPU time used in user mode.", float64(s.CPU.Usage.User)/nanoseconds)
	m.counter("container_cpu_system_seconds", "seconds", "CPU time used in the kernel.", float64(s.CPU.Usage.Kernel)/nanoseconds)
	m.counter("container_cpu_cfs_periods", "", "Periods of the CPU quota.", float64(s.CPU.Throttling.Periods))
	m.counter("container_cpu_cfs_throttled_periods", "", "Periods in which the quota was used up.", float64(s.CPU.Throttling.ThrottledPeriods))
	m.counter("container_cpu_cfs_throttled_seconds", "seconds", "Time in which processes waited for the next period.", float64(s.CPU.Throttling.ThrottledTime)/nanoseconds)
	m.memory(&s.Memory)
	m.gauge("container_threads", "", "Processes and threads.", float64(s.Pids.Current))
	m.limit("container_threads_max", "", "Limit of processes and threads.", s.Pids.Limit)
	m.blockIO(s)
	m.pressure(s)
	m.network(s.NetworkInterfaces)
	m.hugetlb(s.Hugetlb)
	m.b.WriteString("# EOF\n")
	return m.b.String()
}

func (m *metrics) memory(s *libcontainer.MemoryStats) {
	m.gauge("container_memory_usage_bytes", "bytes", "Memory in use, with the page cache.", float64(s.Usage.Usage))
	// What could be reclaimed at once does not count, as with cAdvisor.
	inactive := s.Raw["total_inactive_file"]
	if v, ok := s.Raw["inactive_file"]; ok && inactive == 0 {
		inactive = v
	}
	m.gauge("container_memory_working_set_bytes", "bytes", "Memory in use without inactive page cache.", float64(s.Usage.Usage-min(inactive, s.Usage.Usage)))
	m.gauge("container_memory_cache", "", "Page cache in bytes.", float64(s.Cache))
	m.gauge("container_memory_max_usage_bytes", "bytes", "Most memory that was in use.", float64(s.Usage.Max))
	m.counter("container_memory_failcnt", "", "How often the limit of memory was reached.", float64(s.Usage.Failcnt))
	m.counter("container_oom_events", "", "Processes that were killed for lack of memory.", float64(s.Events["oom_kill"]))
	m.limit("container_spec_memory_limit_bytes", "bytes", "Limit of memory.", s.Usage.Limit)
}

// blockIO adds what was read and written, of each device.
func (m *metrics) blockIO(s *libcontainer.Stats) {
	for _, direction := range []struct{ op, bytes, operations, verb string }{
		{"read", "container_fs_reads_bytes", "container_fs_reads", "read"},
		{"write", "container_fs_writes_bytes", "container_fs_writes", "written"},
	} {
		m.family(direction.bytes, "counter", "bytes", "Bytes "+direction.verb+".")
		for _, e := range s.BlockIO.ServiceBytes {
			if strings.EqualFold(e.Op, direction.op) {
				m.sample(direction.bytes+"_total", float64(e.Value), "device", fmt.Sprintf("%d:%d", e.Major, e.Minor))
			}
		}
		m.family(direction.operations, "counter", "", "Operations in which was "+direction.verb+".")
		for _, e := range s.BlockIO.Serviced {
			if strings.EqualFold(e.Op, direction.op) {
				m.sample(direction.operations+"_total", float64(e.Value), "device", fmt.Sprintf("%d:%d", e.Major, e.Minor))
			}
		}
	}
}

// pressure adds how long processes waited for resources, where the kernel counts it.
func (m *metrics) pressure(s *libcontainer.Stats) {
	const microseconds = 1e6
	for _, p := range []struct {
		resource string
		psi      *libcontainer.Pressure
	}{{"cpu", s.CPU.PSI}, {"memory", s.Memory.PSI}, {"io", s.BlockIO.PSI}} {
		if p.psi == nil {
			continue
		}
		m.counter("container_pressure_"+p.resource+"_waiting_seconds", "seconds", "Time in which a process waited.", float64(p.psi.Some.Total)/microseconds)
		m.counter("container_pressure_"+p.resource+"_stalled_seconds", "seconds", "Time in which all processes waited.", float64(p.psi.Full.Total)/microseconds)
	}
}

// network adds the counters of each interface, a family after the other, as the format demands.
func (m *metrics) network(interfaces []libcontainer.NetworkInterface) {
	if len(interfaces) == 0 {
		return
	}
	for _, f := range []struct {
		name, unit, help string
		value            func(libcontainer.NetworkInterface) uint64
	}{
		{"container_network_receive_bytes", "bytes", "Bytes received.", func(i libcontainer.NetworkInterface) uint64 { return i.RxBytes }},
		{"container_network_receive_packets", "", "Packets received.", func(i libcontainer.NetworkInterface) uint64 { return i.RxPackets }},
		{"container_network_receive_errors", "", "Errors when receiving.", func(i libcontainer.NetworkInterface) uint64 { return i.RxErrors }},
		{"container_network_receive_packets_dropped", "", "Packets dropped when receiving.", func(i libcontainer.NetworkInterface) uint64 { return i.RxDropped }},
		{"container_network_transmit_bytes", "bytes", "Bytes sent.", func(i libcontainer.NetworkInterface) uint64 { return i.TxBytes }},
		{"container_network_transmit_packets", "", "Packets sent.", func(i libcontainer.NetworkInterface) uint64 { return i.TxPackets }},
		{"container_network_transmit_errors", "", "Errors when sending.", func(i libcontainer.NetworkInterface) uint64 { return i.TxErrors }},
		{"container_network_transmit_packets_dropped", "", "Packets dropped when sending.", func(i libcontainer.NetworkInterface) uint64 { return i.TxDropped }},
	} {
		m.family(f.name, "counter", f.unit, f.help)
		for _, i := range interfaces {
			m.sample(f.name+"_total", float64(f.value(i)), "interface", i.Name)
		}
	}
}

func (m *metrics) hugetlb(sizes map[string]libcontainer.HugetlbStats) {
	if len(sizes) == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(sizes))
	m.family("container_hugetlb_usage_bytes", "gauge", "bytes", "Huge pages in use.")
	for _, n := range names {
		m.sample("container_hugetlb_usage_bytes", float64(sizes[n].Usage), "pagesize", n)
	}
	m.family("container_hugetlb_max_usage_bytes", "gauge", "bytes", "Most huge pages that were in use.")
	for _, n := range names {
		m.sample("container_hugetlb_max_usage_bytes", float64(sizes[n].Max), "pagesize", n)
	}
}
