package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci"
)

// reason finds out why the kernel has refused a value in a file of a cgroup; "" when it is
// unknown. dir is the directory of the cgroup.
type reason func(dir, value string) string

// parameter reads a file of a cgroup and trims blanks; "" when there is none.
func parameter(dir, file string) string {
	data, err := linux.ReadFollow(filepath.Join(dir, file), 1<<16)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// number reads a number from a file. ok is false when it is not a number.
func number(dir, file string) (n int64, ok bool) {
	n, err := strconv.ParseInt(parameter(dir, file), 10, 64)
	return n, err == nil
}

func idleShares(dir, _ string) string {
	if parameter(dir, "cpu.idle") != "1" {
		return ""
	}
	return "an idle container has none: cpu.idle"
}

// lowQuota: a quota must not be below the burst, and on v1 its ratio to the period must not be
// above the parent's.
func lowQuota(dir, value string) string {
	quota, _, _ := strings.Cut(value, " ")
	n, err := strconv.ParseInt(quota, 10, 64)
	if err != nil {
		return ""
	}
	for _, file := range []string{"cpu.cfs_burst_us", "cpu.max.burst"} {
		if burst, ok := number(dir, file); ok && n >= 0 && burst > n {
			return fmt.Sprintf("the burst is %d, and cannot be more than the quota", burst)
		}
	}
	parent := filepath.Dir(dir)
	above, ok := number(parent, "cpu.cfs_quota_us")
	abovePeriod, _ := number(parent, "cpu.cfs_period_us")
	period, _ := number(dir, "cpu.cfs_period_us")
	if ok && above > 0 && abovePeriod > 0 && period > 0 && (n < 0 || float64(n)/float64(period) > float64(above)/float64(abovePeriod)) {
		return fmt.Sprintf("the cgroup above, %s, has %d µs in %d", parent, above, abovePeriod)
	}
	return ""
}

func highBurst(dir, value string) string {
	burst, err := strconv.ParseInt(value, 10, 64)
	quota, ok := number(dir, "cpu.cfs_quota_us")
	if !ok {
		text, _, _ := strings.Cut(parameter(dir, "cpu.max"), " ")
		var bad error
		quota, bad = strconv.ParseInt(text, 10, 64)
		ok = bad == nil
	}
	if err != nil || !ok || quota < 0 || burst <= quota {
		return ""
	}
	return fmt.Sprintf("the quota is %d, and the burst cannot be more", quota)
}

// noRealtime: a cgroup can only pass on realtime time that it has itself.
func noRealtime(dir, _ string) string {
	parent := filepath.Dir(dir)
	if n, ok := number(parent, "cpu.rt_runtime_us"); !ok || n != 0 {
		return ""
	}
	return fmt.Sprintf("the cgroup above, %s, has no realtime time to give", parent)
}

// lessThanMemory: the limit of memory and swap must not be below the limit of memory.
func lessThanMemory(dir, value string) string {
	n, err := strconv.ParseInt(value, 10, 64)
	memory, ok := number(dir, "memory.limit_in_bytes")
	if err != nil || !ok || n < 0 || n >= memory {
		return ""
	}
	return fmt.Sprintf("it is the sum of memory and swap, and the limit of memory is %d", memory)
}

// lacking: the CPUs or memory nodes of a cgroup must be a subset of the parent's.
func lacking(file string) reason {
	return func(dir, value string) string {
		parent := filepath.Dir(dir)
		above := parameter(parent, file+".effective")
		if above == "" {
			above = parameter(parent, file)
		}
		has, err := oci.ParseList(above)
		wanted, _ := oci.ParseList(value)
		if err != nil || len(has) == 0 || wanted.Within(has) {
			return ""
		}
		return fmt.Sprintf("the cgroup above, %s, has %s", parent, above)
	}
}

// absent is a reason if a path of sysfs does not exist.
func absent(what, path string) reason {
	return func(string, string) string {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			return ""
		}
		return "there is no such " + what
	}
}

// diskPath returns the path of a block device in sysfs.
func diskPath(device string) string { return "/sys/dev/block/" + device }

// noWeight: weights need support in the I/O scheduler of the disk.
func noWeight(device string) reason {
	return func(dir, value string) string {
		if device == "" {
			return ""
		}
		if text := absent("disk", diskPath(device))(dir, value); text != "" {
			return text
		}
		schedulers := parameter(diskPath(device), "queue/scheduler")
		_, rest, ok := strings.Cut(schedulers, "[")
		current, _, _ := strings.Cut(rest, "]")
		if !ok || current == "bfq" {
			return ""
		}
		return fmt.Sprintf("its I/O scheduler is %s; weights need bfq, or on cgroup v2 the controller io.cost", current)
	}
}
