package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReasons: each reason is given when the files of the cgroups show it, and only then.
func TestReasons(t *testing.T) {
	for _, c := range []struct {
		name   string
		reason reason
		files  map[string]string // with "../": of the parent cgroup
		value  string
		want   string
	}{
		{"idle", idleShares, map[string]string{"cpu.idle": "1"}, "100", "an idle container has none"},
		{"not idle", idleShares, map[string]string{"cpu.idle": "0"}, "100", ""},
		{"burst above quota, v1", lowQuota, map[string]string{"cpu.cfs_burst_us": "5000"}, "4000", "the burst is 5000"},
		{"burst above quota, v2", lowQuota, map[string]string{"cpu.max.burst": "5000"}, "4000 10000", "the burst is 5000"},
		{"quota above that above", lowQuota, map[string]string{"cpu.cfs_period_us": "100000", "../cpu.cfs_quota_us": "50000", "../cpu.cfs_period_us": "100000"}, "60000", "has 50000 µs in 100000"},
		{"no quota, but one above", lowQuota, map[string]string{"cpu.cfs_period_us": "100000", "../cpu.cfs_quota_us": "50000", "../cpu.cfs_period_us": "100000"}, "-1", "has 50000 µs"},
		{"quota below that above", lowQuota, map[string]string{"cpu.cfs_burst_us": "0", "cpu.cfs_period_us": "100000", "../cpu.cfs_quota_us": "50000", "../cpu.cfs_period_us": "100000"}, "40000", ""},
		{"no limit above", lowQuota, map[string]string{"cpu.cfs_period_us": "100000", "../cpu.cfs_quota_us": "-1", "../cpu.cfs_period_us": "100000"}, "40000", ""},
		{"high burst, v1", highBurst, map[string]string{"cpu.cfs_quota_us": "4000"}, "5000", "the quota is 4000"},
		{"high burst, v2", highBurst, map[string]string{"cpu.max": "4000 10000"}, "5000", "the quota is 4000"},
		{"burst without quota", highBurst, map[string]string{"cpu.max": "max 10000"}, "5000", ""},
		{"no realtime above", noRealtime, map[string]string{"../cpu.rt_runtime_us": "0"}, "5000", "has no realtime time to give"},
		{"realtime above", noRealtime, map[string]string{"../cpu.rt_runtime_us": "950000"}, "5000", ""},
		{"swap below memory", lessThanMemory, map[string]string{"memory.limit_in_bytes": "5000"}, "4000", "the limit of memory is 5000"},
		{"swap above memory", lessThanMemory, map[string]string{"memory.limit_in_bytes": "5000"}, "6000", ""},
		{"CPUs lack above, v1", lacking("cpuset.cpus"), map[string]string{"../cpuset.cpus": "0-1"}, "1-2", "has 0-1"},
		{"CPUs lack above, v2", lacking("cpuset.cpus"), map[string]string{"../cpuset.cpus": "0-7", "../cpuset.cpus.effective": "0-1"}, "2", "has 0-1"},
		{"CPUs are there", lacking("cpuset.cpus"), map[string]string{"../cpuset.cpus": "0-3"}, "1-2", ""},
		{"no such disk", absent("disk", "/no/such"), nil, "", "there is no such disk"},
		{"a disk", absent("disk", "/"), nil, "", ""},
		{"weight of no disk", noWeight("4000:0"), nil, "", "there is no such disk"},
		{"weight of all", noWeight(""), nil, "", ""},
	} {
		above := t.TempDir()
		dir := filepath.Join(above, "container")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, content := range c.files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := c.reason(dir, c.value); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
