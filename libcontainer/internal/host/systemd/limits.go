package systemd

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"coracle/libcontainer/internal/oci"
)

// infinity is how systemd writes that there is no limit.
const infinity = math.MaxUint64

// defaultPeriod is the kernel's period of CPU bandwidth, in microseconds.
const defaultPeriod = 100_000

// File is a file of a cgroup with the value to write to it.
type File struct{ Name, Value string }

// Accounting returns the properties that turn on resource accounting, and with it the
// controllers.
func Accounting(unified bool) []Property {
	var p properties
	for _, name := range []string{"CPUAccounting", "MemoryAccounting", "TasksAccounting"} {
		p.add(name, true)
	}
	if unified {
		p.add("IOAccounting", true)
	}
	return p
}

// Limits translates limits into unit properties where systemd has one, so that systemd does not
// undo them later. The caller still writes the files, because not every file has a property and
// the files are more exact. A value that cannot be parsed is skipped: the kernel will refuse it.
//
// Device rules are not translated. On cgroup v2 they are a BPF program that is attached to the
// cgroup. systemd attaches no program of its own to a unit without device rules, and a reload of
// systemd leaves foreign programs alone.
func Limits(files []File) []Property {
	var p properties
	var b bandwidth
	for _, f := range files {
		p.file(f.Name, strings.TrimSpace(f.Value), &b)
	}
	b.add(&p)
	return p
}

type properties []Property

// add sets a property. The last value wins, as it does for files of a cgroup.
func (p *properties) add(name string, value any) {
	*p = slices.DeleteFunc(*p, func(q Property) bool { return q.Name == name })
	*p = append(*p, Property{Name: name, Value: value, Optional: true})
}

// limits maps files that hold a number or "max" to their properties. Some files are those of
// cgroup v1.
var limits = oci.Table[string, string]{
	{"memory.min", "MemoryMin"}, {"memory.low", "MemoryLow"}, {"memory.high", "MemoryHigh"}, {"memory.max", "MemoryMax"},
	{"memory.swap.max", "MemorySwapMax"}, {"pids.max", "TasksMax"}, {"cpu.weight", "CPUWeight"},
	{"memory.limit_in_bytes", "MemoryLimit"}, {"cpu.shares", "CPUShares"}, {"blkio.weight", "BlockIOWeight"},
}

func (p *properties) file(name, value string, b *bandwidth) {
	if property := limits.Of(name); property != "" {
		n, ok := number(value)
		if !ok {
			return
		}
		if name == "pids.max" {
			n = max(n, 1) // systemd refuses 0; the file still gets 0
		}
		p.add(property, n)
		return
	}
	switch name {
	case "memory.oom.group":
		// Scopes have OOMPolicy since systemd 253.
		if policy := map[string]string{"0": "continue", "1": "kill"}[value]; policy != "" {
			p.add("OOMPolicy", policy)
		}
	case "cpu.idle":
		if value == "1" {
			p.add("CPUWeight", uint64(0)) // systemd reads 0 as idle
		}
	case "cpu.max":
		fields := strings.Fields(value)
		if len(fields) > 0 {
			b.quota(fields[0])
		}
		if len(fields) > 1 {
			b.period(fields[1])
		}
	case "cpu.cfs_quota_us":
		b.quota(value)
	case "cpu.cfs_period_us":
		b.period(value)
	case "cpuset.cpus":
		p.set("AllowedCPUs", value)
	case "cpuset.mems":
		p.set("AllowedMemoryNodes", value)
	}
}

// number parses a limit. Like the kernel it accepts the suffixes k, m, g and t. "max", and -1 on
// v1, mean no limit.
func number(value string) (uint64, bool) {
	if value == "max" || value == "-1" {
		return infinity, true
	}
	digits, shift := value, 0
	if n := len(value); n > 0 {
		if at := strings.IndexByte("kmgt", value[n-1]|0x20); at >= 0 {
			digits, shift = value[:n-1], 10*(at+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n<<shift>>shift != n {
		return 0, false
	}
	return n << shift, true
}

// bandwidth is a CPU limit: CPU time per period, in microseconds.
type bandwidth struct {
	hasQuota, hasPeriod bool
	us, of              uint64 // us is infinity for no limit
}

func (b *bandwidth) quota(value string) {
	if n, ok := number(value); ok {
		b.us, b.hasQuota = n, true
	}
}

func (b *bandwidth) period(value string) {
	if n, ok := number(value); ok && n > 0 {
		b.of, b.hasPeriod = n, true
	}
}

func (b *bandwidth) add(p *properties) {
	if b.hasPeriod {
		p.add("CPUQuotaPeriodUSec", b.of)
	} else {
		b.of = defaultPeriod
	}
	switch {
	case !b.hasQuota:
	case b.us == infinity:
		p.add("CPUQuotaPerSecUSec", uint64(infinity))
	case b.us > 0:
		// systemd works with hundredths of a CPU. Rounded up, its limit is never below
		// the exact one in the file.
		const hundredth = 10_000
		p.add("CPUQuotaPerSecUSec", uint64(math.Ceil(float64(b.us)*1e6/float64(b.of)/hundredth))*hundredth)
	}
}

// set adds a set of CPUs or memory nodes.
func (p *properties) set(name, list string) {
	if numbers, err := oci.ParseList(list); err == nil && len(numbers) > 0 {
		p.add(name, numbers.Bytes())
	}
}
