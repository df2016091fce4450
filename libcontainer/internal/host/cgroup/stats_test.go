package cgroup

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// fakeCgroup makes a directory with files.
func fakeCgroup(t *testing.T, files map[string]string) counters {
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return counters(dir)
}

func compare(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
	}
}

func TestStatsOfV1(t *testing.T) {
	c := fakeCgroup(t, map[string]string{
		"cpu.stat":      "nr_periods 5\nnr_throttled 2\nthrottled_time 700\nnr_bursts 1\nburst_time 9\n",
		"cpuacct.usage": "100\n", "cpuacct.usage_sys": "30\n", "cpuacct.usage_user": "70\n", "cpuacct.usage_percpu": "40 60 \n",
		"cpuacct.usage_all":     "cpu user system\n0 25 15\n1 45 15\n",
		"memory.limit_in_bytes": "1000\n", "memory.usage_in_bytes": "500\n", "memory.max_usage_in_bytes": "600\n", "memory.failcnt": "3\n",
		"memory.stat": "cache 11\nrss 12\n", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
		"blkio.bfq.io_service_bytes_recursive":      "Total 0\n",
		"blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Write 0\n8:0 Total 4096\nTotal 4096\n",
		"blkio.throttle.io_serviced_recursive":      "8:0 Read 2\n",
		"blkio.sectors_recursive":                   "8:16 7\n",
		"hugetlb.2MB.usage_in_bytes":                "5\n",
		"hugetlb.2MB.rsvd.usage_in_bytes":           "5\n",
		"hugetlb.2MB.max_usage_in_bytes":            "6\n",
		"hugetlb.2MB.failcnt":                       "7\n",
		"cpuset.cpus":                               "0-1,3\n",
		"cpuset.sched_relax_domain_level":           "-1\n",
		"cpuset.cpu_exclusive":                      "1\n",
		"rdma.current":                              "mlx hca_handle=2 hca_object=max\n",
	})
	compare(t, "cpu", cpuStatsV1(c, c), CPUStats{
		Usage:      CPUUsage{Total: 100, Kernel: 30, User: 70, Percpu: []uint64{40, 60}, PercpuUser: []uint64{25, 45}, PercpuKernel: []uint64{15, 15}},
		Throttling: CPUThrottling{Periods: 5, ThrottledPeriods: 2, ThrottledTime: 700}, Burst: CPUBurst{1, 9},
	})
	compare(t, "memory", memoryStatsV1(c), MemoryStats{
		Cache: 11, Raw: map[string]uint64{"cache": 11, "rss": 12}, Usage: MemoryEntry{1000, 500, 600, 3}, Events: map[string]uint64{"oom_kill": 4},
	})
	compare(t, "blkio", blockIOStatsV1(c), BlockIOStats{
		ServiceBytes: []BlockIOEntry{{8, 0, "Read", 4096}, {8, 0, "Write", 0}, {8, 0, "Total", 4096}},
		Serviced:     []BlockIOEntry{{8, 0, "Read", 2}}, Sectors: []BlockIOEntry{{8, 16, "", 7}},
	})
	huge := make(map[string]HugetlbStats)
	hugetlbStats(c, huge)
	compare(t, "hugetlb", huge, map[string]HugetlbStats{"2MB": {5, 6, 7}})
	compare(t, "cpuset", cpusetStatsV1(c), CPUSetStats{CPUs: []int{0, 1, 3}, CPUExclusive: 1, SchedRelaxDomainLevel: -1})
	compare(t, "rdma", rdmaEntries(c.text("rdma.current")), []RdmaEntry{{"mlx", 2, math.MaxUint64}})
}

func TestStatsOfV2(t *testing.T) {
	c := fakeCgroup(t, map[string]string{
		"cpu.stat":      "usage_usec 100\nuser_usec 70\nsystem_usec 30\nnr_periods 5\nnr_throttled 2\nthrottled_usec 7\nnr_bursts 1\nburst_usec 9\n",
		"cpu.pressure":  "some avg10=1.50 avg60=0.25 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=2.00 total=3\n",
		"memory.events": "low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\n",
		"memory.max":    "1000\n", "memory.current": "500\n", "memory.peak": "600\n", "memory.stat": "file 11\nkernel 12\n",
		"memory.swap.current": "40\n", "memory.swap.max": "200\n", "memory.swap.events": "high 0\nmax 5\nfail 0\n",
		"io.stat":             "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n8:16\n",
		"hugetlb.1GB.current": "5\n", "hugetlb.1GB.rsvd.current": "5\n", "hugetlb.1GB.events": "max 7\n",
		"cpuset.cpus.effective": "2\n", "misc.current": "res_a 5\n", "misc.events": "res_a.max 6\n",
	})
	compare(t, "cpu", cpuStatsV2(c), CPUStats{
		Usage:      CPUUsage{Total: 100000, Kernel: 30000, User: 70000},
		Throttling: CPUThrottling{Periods: 5, ThrottledPeriods: 2, ThrottledTime: 7000}, Burst: CPUBurst{1, 9000},
	})
	compare(t, "pressure", c.pressure("cpu.pressure"), &Pressure{Some: PressureData{1.5, 0.25, 0, 12}, Full: PressureData{0, 0, 2, 3}})
	if p := c.pressure("io.pressure"); p != nil {
		t.Errorf("pressure of nothing: %+v", p)
	}
	compare(t, "memory", memoryStatsV2(c), MemoryStats{
		Cache: 11, Raw: map[string]uint64{"file": 11, "kernel": 12}, Usage: MemoryEntry{1000, 500, 600, 3}, Swap: MemoryEntry{1200, 540, 0, 5},
		Kernel: MemoryEntry{Usage: 12}, Events: map[string]uint64{"low": 0, "high": 0, "max": 3, "oom": 2, "oom_kill": 1},
	})
	compare(t, "blkio", blockIOStatsV2(c), BlockIOStats{
		ServiceBytes: []BlockIOEntry{{8, 0, "Read", 1}, {8, 0, "Write", 2}, {8, 0, "Discard", 5}},
		Serviced:     []BlockIOEntry{{8, 0, "Read", 3}, {8, 0, "Write", 4}, {8, 0, "Discard", 6}},
	})
	huge := make(map[string]HugetlbStats)
	hugetlbStats(c, huge)
	compare(t, "hugetlb", huge, map[string]HugetlbStats{"1GB": {Usage: 5, Failcnt: 7}})
	compare(t, "cpuset", cpusetStatsV2(c), CPUSetStats{CPUs: []int{2}})
	compare(t, "misc", miscStats(c), map[string]MiscStats{"res_a": {5, 6}})
}

func FuzzStats(f *testing.F) {
	f.Add("8:0 rbytes=1 x\nsome avg10=y\n: \n8:0 a b c\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := fakeCgroup(t, map[string]string{"io.stat": text, "cpu.pressure": text, "cpuset.cpus": text, "misc.current": text})
		blockIOStatsV2(c)
		blockIOEntries(text)
		c.pressure("cpu.pressure")
		cpusetStatsV1(c)
		rdmaEntries(text)
		miscStats(c)
	})
}
