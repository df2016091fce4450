package cgroup

import (
	"os"
	"reflect"
	"strings"
	"testing"

	devices "github.com/opencontainers/cgroups/devices/config"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestCheckPath(t *testing.T) {
	for path, ok := range map[string]bool{
		"/a": true, "a": true, "a/b": true, "/a/../b": false, "..": false, "a/..": false, "a/..b": true, "/": false, ".": false,
		"": false, "system.slice:coracle:x": false, "a:b": true,
	} {
		if err := checkPath(path); (err == nil) != ok {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func TestResources(t *testing.T) {
	s := &specs.Spec{Linux: &specs.Linux{Resources: &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(1 << 20)), Swap: ptr(int64(2 << 20)), Reservation: ptr(int64(5)), Swappiness: ptr(uint64(7)), DisableOOMKiller: ptr(true)},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(1024)), Quota: ptr(int64(-1)), Period: ptr(uint64(100000)), Cpus: "0-1", Mems: "0"},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(0))},
		BlockIO: &specs.LinuxBlockIO{Weight: ptr(uint16(10)), ThrottleReadBpsDevice: []specs.LinuxThrottleDevice{
			{LinuxBlockIODevice: specs.LinuxBlockIODevice{Major: 8, Minor: 1}, Rate: 99}}},
		HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 3}},
		Network:        &specs.LinuxNetwork{ClassID: ptr(uint32(4)), Priorities: []specs.LinuxInterfacePriority{{Name: "lo", Priority: 2}}},
		Rdma:           map[string]specs.LinuxRdma{"mlx": {HcaHandles: ptr(uint32(1))}},
	}}}
	r, err := Resources(s)
	if err != nil {
		t.Fatal(err)
	}
	if r.Memory != 1<<20 || r.MemorySwap != 2<<20 || r.MemoryReservation != 5 || *r.MemorySwappiness != 7 || !r.OomKillDisable {
		t.Errorf("memory %+v", r)
	}
	// Shares of 1024 are the default, which is a weight of 100 in v2.
	if r.CpuShares != 1024 || r.CpuWeight != 100 || r.CpuQuota != -1 || r.CpuPeriod != 100000 || r.CpusetCpus != "0-1" || r.CpusetMems != "0" {
		t.Errorf("cpu %+v", r)
	}
	if *r.PidsLimit != 0 || r.BlkioWeight != 10 || r.BlkioThrottleReadBpsDevice[0].String() != "8:1 99" {
		t.Errorf("pids, blkio %+v", r)
	}
	if r.HugetlbLimit[0].Pagesize != "2MB" || r.NetClsClassid != 4 || r.NetPrioIfpriomap[0].Priority != 2 || *r.Rdma["mlx"].HcaHandles != 1 {
		t.Errorf("hugetlb, network, rdma %+v", r)
	}
}

// TestDevicesAreDeniedByDefault evaluates the rules in order, as the kernel does.
func TestDevicesAreDeniedByDefault(t *testing.T) {
	allowed := func(in []specs.LinuxDeviceCgroup, typ devices.Type, major, minor int64, access rune) bool {
		result := true // what a cgroup allows before any rule
		for _, r := range deviceRules(in) {
			if (r.Type == devices.WildcardDevice || r.Type == typ) && (r.Major == devices.Wildcard || r.Major == major) &&
				(r.Minor == devices.Wildcard || r.Minor == minor) && strings.ContainsRune(string(r.Permissions), access) {
				result = r.Allow
			}
		}
		return result
	}
	for name, in := range map[string][]specs.LinuxDeviceCgroup{"none": nil, "empty": {}, "deny": {{Allow: false, Access: "rwm"}}} {
		if allowed(in, 'b', 8, 0, 'r') || allowed(in, 'c', 1, 1, 'w') || allowed(in, 'c', 1, 11, 'r') {
			t.Errorf("%s: a disk, /dev/mem or /dev/kmsg is allowed", name)
		}
		if !allowed(in, 'c', 1, 3, 'w') || !allowed(in, 'c', 136, 5, 'r') || !allowed(in, 'b', 8, 0, 'm') {
			t.Errorf("%s: null, a terminal or mknod is denied", name)
		}
	}
	kmsg := []specs.LinuxDeviceCgroup{{Allow: true, Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(11)), Access: "r"}}
	if !allowed(kmsg, 'c', 1, 11, 'r') || allowed(kmsg, 'c', 1, 11, 'w') {
		t.Error("the rule for kmsg does not work")
	}
	all := []specs.LinuxDeviceCgroup{{Allow: true}}
	if !allowed(all, 'b', 8, 0, 'w') {
		t.Error("an empty access is not all access")
	}
}

func TestPaths(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs the cgroups of root")
	}
	m, err := New(&specs.Spec{}, "id")
	if err != nil {
		t.Fatal(err)
	}
	for key, dir := range m.Saved().Paths {
		if !strings.HasPrefix(dir, mountpoint+"/") || !strings.HasSuffix(dir, "/coracle-id") {
			t.Errorf("%q: %s", key, dir)
		}
	}
	if again := Load(m.Saved()); !reflect.DeepEqual(again.Saved(), m.Saved()) {
		t.Error("a saved manager is another one")
	}
	m, err = New(&specs.Spec{Linux: &specs.Linux{CgroupsPath: "/x/y"}}, "id")
	if err != nil {
		t.Fatal(err)
	}
	for key, dir := range m.Saved().Paths {
		if rel := strings.TrimPrefix(dir, mountpoint); strings.Count(rel, "/") > 3 || !strings.HasSuffix(rel, "/x/y") {
			t.Errorf("%q: %s", key, dir)
		}
	}
}

func TestRmdirStaysInTheCgroups(t *testing.T) {
	dir := t.TempDir()
	if err := rmdir(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error("a directory that is no cgroup was removed")
	}
}

func FuzzCheckPath(f *testing.F) {
	f.Add("/a/b")
	f.Add("a/../../b")
	f.Fuzz(func(t *testing.T, path string) {
		if checkPath(path) != nil {
			return
		}
		for _, part := range strings.Split(path, "/") {
			if part == ".." {
				t.Errorf("%q leads upwards", path)
			}
		}
	})
}
