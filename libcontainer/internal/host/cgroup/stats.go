package cgroup

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"coracle/libcontainer/internal/linux"
)

// Stats is the resource usage of a container. Its JSON has the format of runc, which go-runc
// reads. Times are in nanoseconds, sizes in bytes; a limit of 2⁶⁴-1 means none.
//
// Values that the host does not count are 0 or left out.
type Stats struct {
	CPU     CPUStats                `json:"cpu"`
	CPUSet  CPUSetStats             `json:"cpuset"`
	Memory  MemoryStats             `json:"memory"`
	Pids    PidsStats               `json:"pids"`
	BlockIO BlockIOStats            `json:"blkio"`
	Hugetlb map[string]HugetlbStats `json:"hugetlb"`
	Rdma    RdmaStats               `json:"rdma"`
	// Misc is indexed by the name of the resource.
	Misc map[string]MiscStats `json:"misc,omitempty"`
}

// Pressure is how long processes had to wait for a resource (Linux, accounting/psi.rst).
type Pressure struct {
	Some PressureData `json:"some"` // at least one process
	Full PressureData `json:"full"` // all processes at once
}

// PressureData has percentages of the last 10, 60 and 300 seconds, and the total in
// microseconds.
type PressureData struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  uint64  `json:"total"`
}

// PidsStats counts processes and threads. A limit of 0 means none.
type PidsStats struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

// HugetlbStats is the usage of huge pages of one size.
type HugetlbStats struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// RdmaStats is the usage of RDMA devices.
type RdmaStats struct {
	Current []RdmaEntry `json:"current,omitempty"`
	Limit   []RdmaEntry `json:"limit,omitempty"`
}

// RdmaEntry is the usage of one RDMA device.
type RdmaEntry struct {
	Device     string `json:"device"`
	HcaHandles uint64 `json:"hcaHandles"`
	HcaObjects uint64 `json:"hcaObjects"`
}

// MiscStats is the usage of a resource of the controller misc.
type MiscStats struct {
	Usage uint64 `json:"usage"`
	// Events is how often the limit was reached.
	Events uint64 `json:"events"`
}

// Stats reads the resource usage of the container.
func (m *Manager) Stats() (*Stats, error) {
	dir := m.anyDir()
	if dir == "" {
		return nil, errors.New("the container has no cgroup")
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("cgroup: %w", err)
	}
	s := &Stats{Hugetlb: make(map[string]HugetlbStats)}
	if m.inUnified("cpu") {
		s.CPU = cpuStatsV2(m.counters("cpu"))
	} else {
		s.CPU = cpuStatsV1(m.counters("cpu"), m.counters("cpuacct"))
	}
	if m.inUnified("cpuset") {
		s.CPUSet = cpusetStatsV2(m.counters("cpuset"))
	} else {
		s.CPUSet = cpusetStatsV1(m.counters("cpuset"))
	}
	if m.inUnified("memory") {
		s.Memory = memoryStatsV2(m.counters("memory"))
	} else {
		s.Memory = memoryStatsV1(m.counters("memory"))
	}
	if m.inUnified("blkio") {
		s.BlockIO = blockIOStatsV2(m.counters("blkio"))
	} else {
		s.BlockIO = blockIOStatsV1(m.counters("blkio"))
	}
	pids := m.counters("pids")
	s.Pids.Current = pids.number("pids.current")
	if limit := pids.number("pids.max"); limit != math.MaxUint64 {
		s.Pids.Limit = limit
	}
	hugetlbStats(m.counters("hugetlb"), s.Hugetlb)
	rdma := m.counters("rdma")
	s.Rdma = RdmaStats{Current: rdmaEntries(rdma.text("rdma.current")), Limit: rdmaEntries(rdma.text("rdma.max"))}
	s.Misc = miscStats(m.counters("misc"))
	// A hybrid host counts pressure, too, because it does not depend on controllers.
	unified := counters(m.saved.Paths[unifiedKey])
	s.CPU.PSI, s.Memory.PSI, s.BlockIO.PSI = unified.pressure("cpu.pressure"), unified.pressure("memory.pressure"), unified.pressure("io.pressure")
	return s, nil
}

// counters is the directory of a cgroup, "" for none, and reads its files. A file that does not
// exist counts as 0, because the files depend on the kernel and the controllers.
type counters string

func (m *Manager) counters(controller string) counters { return counters(m.dirOf(controller)) }

func (c counters) text(file string) string {
	if c == "" {
		return ""
	}
	data, err := linux.ReadFollow(filepath.Join(string(c), file), 16<<20)
	if err != nil {
		return ""
	}
	return string(data)
}

// number reads a file with one number.
func (c counters) number(file string) uint64 { return parseCount(strings.TrimSpace(c.text(file))) }

// parseCount parses a number or "max". Anything else is 0.
func parseCount(s string) uint64 {
	if s == "max" {
		return math.MaxUint64
	}
	n, _ := strconv.ParseUint(s, 10, 64)
	return n
}

// table reads a file of lines "key number".
func (c counters) table(file string) map[string]uint64 {
	table := make(map[string]uint64)
	for line := range strings.Lines(c.text(file)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			table[key] = parseCount(value)
		}
	}
	return table
}

// pressure reads a file like cpu.pressure; nil when the kernel does not count pressure.
func (c counters) pressure(file string) *Pressure {
	var p Pressure
	found := false
	for line := range strings.Lines(c.text(file)) {
		kind, values, _ := strings.Cut(strings.TrimSpace(line), " ")
		d := map[string]*PressureData{"some": &p.Some, "full": &p.Full}[kind]
		if d == nil {
			continue
		}
		found = true
		for field := range strings.FieldsSeq(values) {
			key, value, _ := strings.Cut(field, "=")
			if to := map[string]*float64{"avg10": &d.Avg10, "avg60": &d.Avg60, "avg300": &d.Avg300}[key]; to != nil {
				*to, _ = strconv.ParseFloat(value, 64)
			} else if key == "total" {
				d.Total = parseCount(value)
			}
		}
	}
	if !found {
		return nil
	}
	return &p
}

// hugetlbStats finds the page sizes in the names of the files.
func hugetlbStats(c counters, stats map[string]HugetlbStats) {
	if c == "" {
		return
	}
	entries, err := os.ReadDir(string(c))
	if err != nil {
		return
	}
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), "hugetlb.")
		if !ok {
			continue
		}
		if size, ok := strings.CutSuffix(name, ".usage_in_bytes"); ok && isPageSize(size) {
			p := "hugetlb." + size
			stats[size] = HugetlbStats{Usage: c.number(p + ".usage_in_bytes"), Max: c.number(p + ".max_usage_in_bytes"), Failcnt: c.number(p + ".failcnt")}
		}
		if size, ok := strings.CutSuffix(name, ".current"); ok && isPageSize(size) {
			p := "hugetlb." + size
			stats[size] = HugetlbStats{Usage: c.number(p + ".current"), Failcnt: c.table(p + ".events")["max"]}
		}
	}
}

// rdmaEntries parses lines like "mlx4_0 hca_handle=2 hca_object=max".
func rdmaEntries(text string) (entries []RdmaEntry) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		e := RdmaEntry{Device: fields[0]}
		for _, f := range fields[1:] {
			switch key, value, _ := strings.Cut(f, "="); key {
			case "hca_handle":
				e.HcaHandles = parseCount(value)
			case "hca_object":
				e.HcaObjects = parseCount(value)
			}
		}
		entries = append(entries, e)
	}
	return entries
}

func miscStats(c counters) map[string]MiscStats {
	stats := make(map[string]MiscStats)
	for name, usage := range c.table("misc.current") {
		stats[name] = MiscStats{Usage: usage, Events: c.table("misc.events")[name+".max"]}
	}
	return stats
}
