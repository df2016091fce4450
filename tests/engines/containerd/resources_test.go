package cri

import (
	"os"
	"strconv"
	"strings"
	"testing"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// resources sets the limits of a container.
func resources(r *cri.LinuxContainerResources) containerOption {
	return func(c *cri.ContainerConfig) { c.Linux.Resources = r }
}

const mib = 1 << 20

func TestResources(t *testing.T) {
	c := newPod(t).sleep(resources(&cri.LinuxContainerResources{
		CpuShares: 512, CpuPeriod: 50000, CpuQuota: 25000, CpusetCpus: "0", CpusetMems: "0",
		MemoryLimitInBytes: 64 * mib, MemorySwapLimitInBytes: 64 * mib, OomScoreAdj: 500,
	}))
	checkResources(t, c, "64", "512", "50000", "25000")
	equal(t, "oom_score_adj", c.sh("cat /proc/1/oom_score_adj"), "500\n")
	equal(t, "processors", limit(t, c.id, "cpuset.cpus", "cpuset.cpus"), "0")
}

func checkResources(t testing.TB, c *container, memory, shares, period, quota string) {
	t.Helper()
	m, err := strconv.Atoi(memory)
	must(t, err)
	equal(t, "memory", limit(t, c.id, "memory.limit_in_bytes", "memory.max"), strconv.Itoa(m*mib))
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil { // cgroup v1
		equal(t, "shares", limit(t, c.id, "cpu.shares", ""), shares)
		equal(t, "period", limit(t, c.id, "cpu.cfs_period_us", ""), period)
		equal(t, "quota", limit(t, c.id, "cpu.cfs_quota_us", ""), quota)
		return
	}
	equal(t, "quota and period", limit(t, c.id, "", "cpu.max"), quota+" "+period)
}

func TestUpdate(t *testing.T) {
	c := newPod(t).sleep(resources(&cri.LinuxContainerResources{
		CpuShares: 512, CpuPeriod: 50000, CpuQuota: 25000, MemoryLimitInBytes: 64 * mib, OomScoreAdj: 500,
	}))
	update := func(r *cri.LinuxContainerResources) {
		t.Helper()
		_, err := client.UpdateContainerResources(t.Context(), &cri.UpdateContainerResourcesRequest{ContainerId: c.id, Linux: r})
		must(t, err)
	}
	update(&cri.LinuxContainerResources{CpuShares: 1024, CpuPeriod: 100000, CpuQuota: 30000, MemoryLimitInBytes: 96 * mib})
	checkResources(t, c, "96", "1024", "100000", "30000")
	// An update leaves limits that it does not name unchanged.
	update(&cri.LinuxContainerResources{MemoryLimitInBytes: 80 * mib})
	checkResources(t, c, "80", "1024", "100000", "30000")
	equal(t, "status", c.status().GetResources().GetLinux().GetMemoryLimitInBytes(), 80*mib)
	equal(t, "output of exec", c.sh("echo in"), "in\n")
	// An impossible update is an error with the reason.
	_, err := client.UpdateContainerResources(t.Context(), &cri.UpdateContainerResourcesRequest{
		ContainerId: c.id, Linux: &cri.LinuxContainerResources{CpusetCpus: "4000"},
	})
	says(t, err, "cpuset")
}

// A container that is not started yet can be updated as well: containerd changes its
// configuration.
func TestUpdateCreated(t *testing.T) {
	c, err := newPod(t).create([]string{"sleep", "1000"}, resources(&cri.LinuxContainerResources{MemoryLimitInBytes: 64 * mib}))
	must(t, err)
	_, err = client.UpdateContainerResources(t.Context(), &cri.UpdateContainerResourcesRequest{
		ContainerId: c.id, Linux: &cri.LinuxContainerResources{MemoryLimitInBytes: 96 * mib},
	})
	must(t, err)
	must(t, c.begin())
	equal(t, "memory", limit(t, c.id, "memory.limit_in_bytes", "memory.max"), strconv.Itoa(96*mib))
}

func TestOutOfMemory(t *testing.T) {
	c := newPod(t).start(shell("tail /dev/zero; exec sleep 1000000"), resources(&cri.LinuxContainerResources{
		MemoryLimitInBytes: 16 * mib, MemorySwapLimitInBytes: 16 * mib,
	}))
	// The OOM event and the end of the container can reach containerd in either order.
	eventually(t, "containerd knows that memory ran out", func() bool { return c.status().Reason == "OOMKilled" })
	c.stop(0)
	equal(t, "reason", c.exited().Reason, "OOMKilled")
}

func TestStats(t *testing.T) {
	p := newPod(t)
	c := p.start(shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; exec sleep 1000000"))
	c.prints("done")
	check := func(what string, s *cri.ContainerStats) {
		t.Helper()
		if s.GetCpu().GetUsageCoreNanoSeconds().GetValue() == 0 || s.GetMemory().GetWorkingSetBytes().GetValue() == 0 {
			t.Errorf("%s: %v", what, s)
		}
		equal(t, what, s.GetAttributes().GetId(), c.id)
	}
	one, err := client.ContainerStats(t.Context(), &cri.ContainerStatsRequest{ContainerId: c.id})
	must(t, err)
	check("one container", one.Stats)
	list, err := client.ListContainerStats(t.Context(), &cri.ListContainerStatsRequest{Filter: &cri.ContainerStatsFilter{PodSandboxId: p.id}})
	must(t, err)
	equal(t, "containers with statistics", len(list.Stats), 1)
	check("the containers of the pod", list.Stats[0])

	sandbox, err := client.PodSandboxStats(t.Context(), &cri.PodSandboxStatsRequest{PodSandboxId: p.id})
	must(t, err)
	linux := sandbox.Stats.GetLinux()
	equal(t, "pod", sandbox.Stats.GetAttributes().GetId(), p.id)
	equal(t, "containers of the pod", len(linux.GetContainers()), 1)
	if linux.GetMemory().GetUsageBytes().GetValue() == 0 || linux.GetProcess().GetProcessCount().GetValue() == 0 {
		t.Errorf("the pod: %v", linux)
	}
}

// A program that reads its cgroup sees the memory limit.
func TestCgroupInside(t *testing.T) {
	p := newPod(t)
	r := resources(&cri.LinuxContainerResources{MemoryLimitInBytes: 64 * mib})
	out := p.output("cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; touch /sys/fs/cgroup/file 2>&1; true", r)
	if !strings.Contains(out, strconv.Itoa(64*mib)+"\n") || !strings.Contains(out, "Read-only file system") {
		t.Error(out)
	}
}
