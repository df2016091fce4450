package cgroup

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// planOf plans resources for a host with cgroup v1 or v2. current has the content of the cgroup's
// files by name; nil means a new cgroup.
func planOf(t *testing.T, v2 bool, resources string, current map[string]string) *plan {
	t.Helper()
	var r specs.LinuxResources
	if err := json.Unmarshal([]byte(resources), &r); err != nil {
		t.Fatal(err)
	}
	p := &plan{
		v2: v2, fresh: current == nil,
		unified: func(string) bool { return v2 },
		current: func(_, file string) string { return current[file] },
	}
	p.resources(&r)
	return p
}

func (p *plan) String() string {
	var s strings.Builder
	for _, w := range p.settings {
		for i, f := range w.files {
			value := w.value
			if w.values != nil {
				value = w.values[i]
			}
			if i > 0 {
				s.WriteString(" or ")
			}
			fmt.Fprintf(&s, "%s=%q", f, value)
		}
		if w.needless {
			s.WriteString("?")
		}
		s.WriteString("\n")
	}
	return s.String()
}

// TestPlan shows what is written for each property: a "?" marks files that may be missing.
func TestPlan(t *testing.T) {
	for _, test := range []struct {
		resources, v1, v2 string
	}{
		{`{}`, "", ""},
		{`{"memory": {"limit": 100, "reservation": 50, "swap": 300}}`,
			"memory.limit_in_bytes=\"100\"\nmemory.memsw.limit_in_bytes=\"300\"\nmemory.soft_limit_in_bytes=\"50\"\n",
			"memory.swap.max=\"200\"\nmemory.max=\"100\"\nmemory.low=\"50\"\n"},
		{`{"memory": {"limit": 100, "swap": 100}}`,
			"memory.limit_in_bytes=\"100\"\nmemory.memsw.limit_in_bytes=\"100\"\n",
			"memory.swap.max=\"0\"?\nmemory.max=\"100\"\n"},
		{`{"memory": {"limit": 100, "swap": -1}}`,
			"memory.limit_in_bytes=\"100\"\nmemory.memsw.limit_in_bytes=\"-1\"?\n",
			"memory.swap.max=\"max\"?\nmemory.max=\"100\"\n"},
		{`{"memory": {"limit": -1}}`,
			"memory.limit_in_bytes=\"-1\"\nmemory.memsw.limit_in_bytes=\"-1\"?\n",
			"memory.swap.max=\"max\"?\nmemory.max=\"max\"\n"},
		{`{"memory": {"limit": 0, "reservation": 0, "swap": 0}}`, "", ""},
		{`{"memory": {"swappiness": 7}}`, "memory.swappiness=\"7\"\n", ""},
		{`{"memory": {"disableOOMKiller": true, "useHierarchy": true}}`, "memory.use_hierarchy=\"1\"?\nmemory.oom_control=\"1\"\n", ""},
		{`{"memory": {"disableOOMKiller": false, "useHierarchy": false, "kernel": 5, "kernelTCP": 6}}`, "", ""},
		{`{"cpu": {"shares": 1024, "quota": 50000, "period": 100000, "burst": 1000, "idle": 0}}`,
			"cpu.shares=\"1024\"\ncpu.idle=\"0\"?\ncpu.cfs_period_us=\"100000\"\ncpu.cfs_quota_us=\"50000\"\ncpu.cfs_burst_us=\"1000\"\n",
			"cpu.weight=\"100\"\ncpu.idle=\"0\"?\ncpu.max=\"50000 100000\"\ncpu.max.burst=\"1000\"\n"},
		{`{"cpu": {"quota": 50000}}`, "cpu.cfs_quota_us=\"50000\"\n", "cpu.max=\"50000\"\n"},
		{`{"cpu": {"quota": -1}}`, "cpu.cfs_quota_us=\"-1\"\n", "cpu.max=\"max\"\n"},
		{`{"cpu": {"period": 50000}}`, "cpu.cfs_period_us=\"50000\"\n", "cpu.max=\"max 50000\"\n"},
		{`{"cpu": {"shares": 0, "quota": 0, "period": 0, "realtimeRuntime": 0, "realtimePeriod": 0}}`, "", ""},
		{`{"cpu": {"cpus": "0-3,7", "mems": "0"}}`, "cpuset.cpus=\"0-3,7\"\ncpuset.mems=\"0\"\n", "cpuset.cpus=\"0-3,7\"\ncpuset.mems=\"0\"\n"},
		{`{"pids": {"limit": 7}}`, "pids.max=\"7\"\n", "pids.max=\"7\"\n"},
		{`{"pids": {"limit": 0}}`, "pids.max=\"0\"\n", "pids.max=\"1\"\n"},
		{`{"pids": {"limit": -1}}`, "pids.max=\"max\"?\n", "pids.max=\"max\"?\n"},
		{`{"pids": {}}`, "", ""},
		{`{"blockIO": {"weight": 1000}}`,
			"blkio.bfq.weight=\"1000\" or blkio.weight=\"1000\"\n", "io.bfq.weight=\"1000\" or io.weight=\"10000\"\n"},
		{`{"blockIO": {"weightDevice": [{"major": 8, "minor": 16, "weight": 10}]}}`,
			"blkio.bfq.weight_device=\"8:16 10\" or blkio.weight_device=\"8:16 10\"\n", "io.bfq.weight=\"8:16 10\" or io.weight=\"8:16 1\"\n"},
		{`{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}], "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 2}],
			"throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 3}], "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 0}]}}`,
			"blkio.throttle.read_bps_device=\"8:0 1\"\nblkio.throttle.write_bps_device=\"8:0 2\"\nblkio.throttle.read_iops_device=\"8:0 3\"\nblkio.throttle.write_iops_device=\"8:0 0\"\n",
			"io.max=\"8:0 rbps=1\"\nio.max=\"8:0 wbps=2\"\nio.max=\"8:0 riops=3\"\nio.max=\"8:0 wiops=max\"\n"},
		{`{"hugepageLimits": [{"pageSize": "2MB", "limit": 9}]}`,
			"hugetlb.2MB.limit_in_bytes=\"9\"\nhugetlb.2MB.rsvd.limit_in_bytes=\"9\"?\n", "hugetlb.2MB.max=\"9\"\nhugetlb.2MB.rsvd.max=\"9\"?\n"},
		{`{"rdma": {"b": {"hcaHandles": 3, "hcaObjects": 4}, "a": {"hcaObjects": 5}}}`,
			"rdma.max=\"a hca_object=5\"\nrdma.max=\"b hca_handle=3 hca_object=4\"\n", "rdma.max=\"a hca_object=5\"\nrdma.max=\"b hca_handle=3 hca_object=4\"\n"},
	} {
		for i, want := range []string{test.v1, test.v2} {
			p := planOf(t, i == 1, test.resources, nil)
			if p.err != nil {
				t.Errorf("v%d, %s: %v", i+1, test.resources, p.err)
			} else if got := p.String(); got != want {
				t.Errorf("v%d, %s:\n%s", i+1, test.resources, got)
			}
		}
	}
}

func TestPlanForOneVersion(t *testing.T) {
	v1 := planOf(t, false, `{"network": {"classID": 17, "priorities": [{"name": "eth0", "priority": 5}]},
		"blockIO": {"leafWeight": 300, "weightDevice": [{"major": 8, "minor": 0, "leafWeight": 9}]}, "cpu": {"realtimeRuntime": 5, "realtimePeriod": 6}}`, nil)
	want := "cpu.rt_period_us=\"6\"\ncpu.rt_runtime_us=\"5\"\nblkio.leaf_weight=\"300\"\nblkio.leaf_weight_device=\"8:0 9\"\nnet_cls.classid=\"17\"\nnet_prio.ifpriomap=\"eth0 5\"\n"
	if v1.err != nil || v1.String() != want {
		t.Errorf("%v\n%s", v1.err, v1)
	}
	v2 := planOf(t, true, `{"unified": {"memory.high": "5\n", "io.max": "8:0 rbps=1\n8:16 rbps=2", "cpu.max": "max 1000"}, "memory": {"limit": 9}}`, nil)
	want = "memory.max=\"9\"\ncpu.max=\"max 1000\"\nio.max=\"8:0 rbps=1\"\nio.max=\"8:16 rbps=2\"\nmemory.high=\"5\"\n"
	if v2.err != nil || v2.String() != want {
		t.Errorf("%v\n%s", v2.err, v2)
	}
	v2 = planOf(t, true, `{"cpu": {"period": 50000}, "memory": {"swap": 300}}`, map[string]string{"cpu.max": "20000 100000", "memory.max": "100"})
	if want = "memory.swap.max=\"200\"\ncpu.max=\"20000 50000\"\n"; v2.err != nil || v2.String() != want {
		t.Errorf("an update of half a value: %v\n%s", v2.err, v2)
	}
	if v1 = planOf(t, false, `{"memory": {"disableOOMKiller": false}}`, map[string]string{}); v1.String() != "memory.oom_control=\"0\"\n" {
		t.Errorf("an update does not turn the OOM killer on: %s", v1)
	}
}

func TestPlanRefuses(t *testing.T) {
	for _, test := range []struct {
		resources, pointer string
		v1, v2             bool // refused there
	}{
		{`{"memory": {"limit": -2}}`, "memory.limit", true, true},
		{`{"memory": {"limit": 100, "swap": 50}}`, "memory.swap", true, true},
		{`{"memory": {"swap": 50}}`, "memory.swap", false, true},
		{`{"memory": {"swappiness": 101}}`, "memory.swappiness", true, false},
		{`{"cpu": {"shares": 1}}`, "cpu.shares", true, false},
		{`{"cpu": {"shares": 262145}}`, "cpu.shares", true, false},
		{`{"cpu": {"period": 999}}`, "cpu.period", true, true},
		{`{"cpu": {"period": 1000001}}`, "cpu.period", true, true},
		{`{"cpu": {"quota": 999}}`, "cpu.quota", true, true},
		{`{"cpu": {"quota": -2}}`, "cpu.quota", true, true},
		{`{"cpu": {"quota": 1000, "burst": 1001}}`, "cpu.burst", true, true},
		{`{"cpu": {"idle": 2}}`, "cpu.idle", true, true},
		{`{"cpu": {"realtimeRuntime": 5}}`, "cpu.realtimeRuntime", false, true},
		{`{"cpu": {"cpus": "0-"}}`, "cpu.cpus", true, true},
		{`{"cpu": {"cpus": "3-1"}}`, "cpu.cpus", true, true},
		{`{"cpu": {"mems": "all"}}`, "cpu.mems", true, true},
		{`{"pids": {"limit": -2}}`, "pids.limit", true, true},
		{`{"blockIO": {"weight": 9}}`, "blockIO.weight", true, true},
		{`{"blockIO": {"weight": 1001}}`, "blockIO.weight", true, true},
		{`{"blockIO": {"leafWeight": 100}}`, "blockIO.leafWeight", false, true},
		{`{"blockIO": {"weightDevice": [{"major": 8, "minor": 0}]}}`, "blockIO.weightDevice[0]", true, true},
		{`{"hugepageLimits": [{"pageSize": "2MB/../x", "limit": 9}]}`, "hugepageLimits[0].pageSize", true, true},
		{`{"hugepageLimits": [{"pageSize": "02MB", "limit": 9}]}`, "hugepageLimits[0].pageSize", true, true},
		{`{"hugepageLimits": [{"pageSize": "2M", "limit": 9}]}`, "hugepageLimits[0].pageSize", true, true},
		{`{"network": {"classID": 3}}`, "network.classID", false, true},
		{`{"network": {"priorities": [{"name": "lo", "priority": 1}]}}`, "network.priorities[0]", false, true},
		{`{"rdma": {"mlx": {}}}`, "rdma[mlx]", true, true},
		{`{"unified": {"memory.high": "1"}}`, "unified", true, false},
		{`{"unified": {"../x": "1"}}`, "unified", true, true},
		{`{"unified": {"cgroup.freeze": "1"}}`, "unified", true, true},
	} {
		for i, refused := range []bool{test.v1, test.v2} {
			err := planOf(t, i == 1, test.resources, nil).err
			if (err != nil) != refused || err != nil && !strings.HasPrefix(err.Error(), "linux.resources."+test.pointer) {
				t.Errorf("v%d, %s: %v", i+1, test.resources, err)
			}
		}
	}
	err := planOf(t, true, `{"memory": {"limit": 100, "checkBeforeUpdate": true}}`, map[string]string{"memory.current": "200"}).err
	if err == nil || !strings.Contains(err.Error(), "memory.checkBeforeUpdate") {
		t.Errorf("a limit below the usage: %v", err)
	}
}

// TestKernelTCP: the limit is set where the kernel has the file.
func TestKernelTCP(t *testing.T) {
	for _, has := range []bool{false, true} {
		limit := int64(8192)
		p := &plan{unified: func(string) bool { return false }, current: func(_, _ string) string { return "" }, has: func(_, file string) bool { return has && file == kernelTCPFile }}
		p.memory(&specs.LinuxMemory{KernelTCP: &limit})
		if (len(p.settings) == 1 && p.settings[0].value == "8192") != has || (len(p.warnings) == 0) != has {
			t.Errorf("the file is there: %v; %+v, %v", has, p.settings, p.warnings)
		}
	}
}

func TestWhatHasNoEffectIsTold(t *testing.T) {
	all := `{"memory": {"kernel": 5, "kernelTCP": 6, "useHierarchy": false, "swappiness": 3, "disableOOMKiller": true}}`
	for v2, want := range map[bool][]string{
		false: {"kernel", "kernelTCP", "useHierarchy"},
		true:  {"kernel", "kernelTCP", "useHierarchy", "swappiness", "disableOOMKiller"},
	} {
		var got []string
		for _, w := range planOf(t, v2, all, nil).warnings {
			got = append(got, strings.TrimPrefix(w.Property, "linux.resources.memory."))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("unified %v: %v", v2, got)
		}
	}
}

// TestOverriddenLimitsAreTold has a limit in two properties: the last one written wins.
func TestOverriddenLimitsAreTold(t *testing.T) {
	for resources, want := range map[string]string{
		`{"memory": {"limit": 100}, "unified": {"memory.max": "200"}}`:                                                                                                                         "linux.resources.memory.limit",
		`{"memory": {"limit": 100}, "unified": {"memory.max": "100"}}`:                                                                                                                         "",
		`{"memory": {"limit": 100}, "unified": {"memory.high": "50"}}`:                                                                                                                         "",
		`{"cpu": {"quota": 5000}, "unified": {"cpu.max": "1000 100000"}}`:                                                                                                                      "linux.resources.cpu.quota",
		`{"hugepageLimits": [{"pageSize": "2MB", "limit": 1}, {"pageSize": "2MB", "limit": 2}]}`:                                                                                               "linux.resources.hugepageLimits[0]",
		`{"hugepageLimits": [{"pageSize": "2MB", "limit": 1}, {"pageSize": "1GB", "limit": 2}]}`:                                                                                               "",
		`{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 5}, {"major": 8, "minor": 0, "rate": 6}]}}`:                                                                   "linux.resources.blockIO.throttleReadBpsDevice[0]",
		`{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 5}, {"major": 8, "minor": 16, "rate": 6}], "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 7}]}}`: "",
	} {
		var got []string
		for _, w := range planOf(t, true, resources, nil).warnings {
			if !slices.Contains(got, w.Property) {
				got = append(got, w.Property)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v", resources, got)
		}
	}
}

func TestOldValues(t *testing.T) {
	for _, test := range []struct{ resources, content, want string }{
		{`{"cpu": {"cpus": "0"}}`, "\n", "\n"},
		{`{"cpu": {"cpus": "0"}}`, "0-3\n", "0-3"},
		{`{"memory": {"disableOOMKiller": true}}`, "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n", "0"},
		{`{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}]}}`, "8:16 5\n8:0 7\n", "8:0 7"},
		{`{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}]}}`, "", "8:0 0"},
		{`{"rdma": {"mlx": {"hcaHandles": 1}}}`, "mlx hca_handle=2 hca_object=max\n", "mlx hca_handle=2 hca_object=max"},
	} {
		p := planOf(t, false, test.resources, map[string]string{})
		if got := p.settings[0].oldValue(test.content); got != test.want {
			t.Errorf("%s with %q: %q", test.resources, test.content, got)
		}
	}
}

func TestWeights(t *testing.T) {
	for shares, want := range map[uint64]uint64{1: 1, 2: 1, 512: 59, 1024: 100, 2048: 174, 262144: 10000, 1 << 40: 10000} {
		if got := weightOfShares(shares); got != want {
			t.Errorf("%d shares: %d", shares, got)
		}
	}
}

func FuzzPlan(f *testing.F) {
	f.Add(`{"memory": {"limit": 5}, "unified": {"a/b": "c"}, "hugepageLimits": [{"pageSize": "2MB"}]}`)
	f.Fuzz(func(t *testing.T, resources string) {
		var r specs.LinuxResources
		if json.Unmarshal([]byte(resources), &r) != nil {
			return
		}
		for _, v2 := range []bool{false, true} {
			p := &plan{v2: v2, unified: func(string) bool { return v2 }, current: func(_, _ string) string { return "" }}
			p.resources(&r)
			if p.err != nil {
				continue
			}
			for _, s := range p.settings {
				for _, file := range s.files {
					if strings.Contains(file, "/") || file == ".." {
						t.Errorf("%q leads out of the cgroup", file)
					}
				}
			}
		}
	})
}
