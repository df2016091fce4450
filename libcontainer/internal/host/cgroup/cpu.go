package cgroup

import (
	"math"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci"
)

// Limits of the kernel: for shares, and for times in microseconds.
const (
	minShares, maxShares = 2, 262144
	minPeriod, maxPeriod = 1000, 1000000
	minQuota             = 1000
)

// cpu plans linux.resources.cpu (config-linux.md#cpu).
func (p *plan) cpu(c *specs.LinuxCPU) {
	if c == nil {
		return
	}
	if given(c.Period) && (*c.Period < minPeriod || *c.Period > maxPeriod) {
		p.fail("cpu.period", "%d is out of range: %d to %d µs", *c.Period, minPeriod, maxPeriod)
	}
	if given(c.Quota) && (*c.Quota < -1 || *c.Quota > 0 && *c.Quota < minQuota) {
		p.fail("cpu.quota", "%d is neither -1 nor at least %d µs", *c.Quota, minQuota)
	}
	if c.Burst != nil && given(c.Quota) && *c.Quota > 0 && *c.Burst > uint64(*c.Quota) {
		p.fail("cpu.burst", "%d is more than the quota of %d", *c.Burst, *c.Quota)
	}
	if c.Idle != nil && *c.Idle != 0 && *c.Idle != 1 {
		p.fail("cpu.idle", "%d is neither 0 nor 1", *c.Idle)
	}
	if p.unified("cpu") {
		p.cpuV2(c)
	} else {
		p.cpuV1(c)
	}
	p.cpuset("cpu.cpus", "cpuset.cpus", c.Cpus)
	p.cpuset("cpu.mems", "cpuset.mems", c.Mems)
}

// sharesOrIdle plans the container's share of CPU time relative to others. file is the file of
// the shares.
func (p *plan) sharesOrIdle(c *specs.LinuxCPU, value func(shares uint64) string, file string) {
	idle := c.Idle != nil && *c.Idle == 1
	switch {
	case !given(c.Shares):
	case idle:
		// The kernel refuses shares, or drops them when idle is set later.
		p.warnProperty("cpu.shares", "has no effect: cpu.idle is 1")
	default:
		p.add("cpu.shares", "cpu", value(*c.Shares), file).reason = idleShares
	}
	if c.Idle != nil {
		s := p.add("cpu.idle", "cpu", itoa(*c.Idle), "cpu.idle")
		s.needless, s.resets = !idle, file
	}
}

func (p *plan) cpuV1(c *specs.LinuxCPU) {
	// The kernel would silently use another value.
	if given(c.Shares) && (*c.Shares < minShares || *c.Shares > maxShares) {
		p.fail("cpu.shares", "%d is out of range: %d to %d", *c.Shares, minShares, maxShares)
	}
	p.sharesOrIdle(c, utoa, "cpu.shares")
	if given(c.Period) {
		p.add("cpu.period", "cpu", utoa(*c.Period), "cpu.cfs_period_us")
	}
	if given(c.Quota) {
		p.add("cpu.quota", "cpu", itoa(*c.Quota), "cpu.cfs_quota_us").reason = lowQuota
	}
	if c.Burst != nil {
		s := p.add("cpu.burst", "cpu", utoa(*c.Burst), "cpu.cfs_burst_us")
		s.needless, s.reason = *c.Burst == 0, highBurst
	}
	if given(c.RealtimePeriod) {
		p.add("cpu.realtimePeriod", "cpu", utoa(*c.RealtimePeriod), "cpu.rt_period_us").reason = noRealtime
	}
	if given(c.RealtimeRuntime) {
		p.add("cpu.realtimeRuntime", "cpu", itoa(*c.RealtimeRuntime), "cpu.rt_runtime_us").reason = noRealtime
	}
}

func (p *plan) cpuV2(c *specs.LinuxCPU) {
	if given(c.RealtimePeriod) {
		p.fail("cpu.realtimePeriod", "cgroup v2 has no limit of realtime time")
	}
	if given(c.RealtimeRuntime) {
		p.fail("cpu.realtimeRuntime", "cgroup v2 has no limit of realtime time")
	}
	p.sharesOrIdle(c, func(shares uint64) string { return utoa(weightOfShares(shares)) }, "cpu.weight")
	switch {
	case given(c.Quota):
		value := limitV2(*c.Quota)
		if given(c.Period) {
			value += " " + utoa(*c.Period)
		}
		p.add("cpu.quota", "cpu", value, "cpu.max").reason = lowQuota
	case given(c.Period):
		quota, _, _ := strings.Cut(p.current("cpu", "cpu.max"), " ")
		if quota == "" {
			quota = "max"
		}
		p.add("cpu.period", "cpu", quota+" "+utoa(*c.Period), "cpu.max")
	}
	if c.Burst != nil {
		s := p.add("cpu.burst", "cpu", utoa(*c.Burst), "cpu.max.burst")
		s.needless, s.reason = *c.Burst == 0, highBurst
	}
}

// weightOfShares converts shares of cgroup v1 to a weight of cgroup v2. The curve passes through
// the ends of both ranges, and through both defaults, 1024 and 100. runc and crun use the same
// one.
func weightOfShares(shares uint64) uint64 {
	switch {
	case shares <= minShares:
		return 1
	case shares >= maxShares:
		return 10000
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
}

// cpuset plans a set of CPUs or memory nodes.
func (p *plan) cpuset(pointer, file, list string) {
	if list == "" {
		return
	}
	if set, err := oci.ParseList(list); err != nil || len(set) == 0 {
		p.fail(pointer, "%q is not a list of numbers and ranges like 0-3,7", list)
		return
	}
	p.add(pointer, "cpuset", list, file).reason = lacking(file)
}

// widerBelow returns a child cgroup of dir whose set is not within the list, and its set; "" when
// there is none. cgroup v1 refuses a list if there is such a child.
func widerBelow(dir, file, list string) (below, has string) {
	set, _ := oci.ParseList(list)
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", ""
	}
	defer unix.Close(fd)
	children, _ := childrenOf(fd)
	for _, name := range children {
		content, err := linux.ReadFollow(filepath.Join(dir, name, file), 1<<16)
		if err != nil {
			continue
		}
		has := strings.TrimSpace(string(content))
		if theirs, _ := oci.ParseList(has); !theirs.Within(set) {
			return filepath.Join(dir, name), has
		}
	}
	return "", ""
}
