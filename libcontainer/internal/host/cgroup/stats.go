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

// Stats is what a container uses. As JSON it has the form that runc has given it and that
// go-runc reads. Times are in nanoseconds, sizes in bytes; a limit of 2⁶⁴-1 is none.
//
// What a host does not count is 0 or left out.
type Stats struct {
	CPU     CPUStats                `json:"cpu"`
	CPUSet  CPUSetStats             `json:"cpuset"`
	Memory  MemoryStats             `json:"memory"`
	Pids    PidsStats               `json:"pids"`
	BlockIO BlockIOStats            `json:"blkio"`
	Hugetlb map[string]HugetlbStats `json:"hugetlb"`
	Rdma    RdmaStats               `json:"rdma"`
	// Misc is by the name of the resource.
	Misc map[string]MiscStats `json:"misc,omitempty"`
}

// Pressure tells how long processes had to wait for a resource (Linux, accounting/psi.rst).
type Pressure struct {
	Some PressureData `json:"some"` // one of them, or more
	Full PressureData `json:"full"` // all of them at once
}

// PressureData has percentages of the last 10, 60 and 300 seconds, and the total in
// microseconds.
type PressureData struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  uint64  `json:"total"`
}

// PidsStats counts processes and threads. A limit of 0 is none.
type PidsStats struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

// HugetlbStats is about huge pages of one size.
type HugetlbStats struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// RdmaStats is about RDMA devices.
type RdmaStats struct {
	Current []RdmaEntry `json:"current,omitempty"`
	Limit   []RdmaEntry `json:"limit,omitempty"`
}

// RdmaEntry is about one RDMA device.
type RdmaEntry struct {
	Device     string `json:"device"`
	HcaHandles uint64 `json:"hcaHandles"`
	HcaObjects uint64 `json:"hcaObjects"`
}

// MiscStats is about a resource of the controller misc.
type MiscStats struct {
	Usage uint64 `json:"usage"`
	// Events counts how often the limit was in the way.
	Events uint64 `json:"events"`
}

// Stats reads what the container uses.
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
	// A hybrid host counts pressure, too: it is not a matter of controllers.
	unified := counters(m.saved.Paths[unifiedKey])
	s.CPU.PSI, s.Memory.PSI, s.BlockIO.PSI = unified.pressure("cpu.pressure"), unified.pressure("memory.pressure"), unified.pressure("io.pressure")
	return s, nil
}

// counters reads files of a cgroup, whose directory it is; "" for none. What does not exist
// is 0: which files there are is a matter of the kernel and of the controllers.
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

// parseCount reads a number or "max". What is neither is 0.
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

// pressure reads a file like cpu.pressure; nil when the kernel does not count it.
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

// hugetlbStats finds the sizes of pages by the names of the files.
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

// rdmaEntries reads lines like "mlx4_0 hca_handle=2 hca_object=max".
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
