package cgroup

import (
	"fmt"

	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Resources translates linux.resources (config-linux.md#control-groups).
func Resources(s *specs.Spec) (*cgroups.Resources, error) {
	r := &cgroups.Resources{}
	if s.Linux == nil || s.Linux.Resources == nil {
		r.Devices = deviceRules(nil)
		return r, nil
	}
	in := s.Linux.Resources
	r.Devices = deviceRules(in.Devices)
	if m := in.Memory; m != nil {
		set(&r.Memory, m.Limit)
		set(&r.MemoryReservation, m.Reservation)
		set(&r.MemorySwap, m.Swap)
		set(&r.OomKillDisable, m.DisableOOMKiller)
		set(&r.MemoryCheckBeforeUpdate, m.CheckBeforeUpdate)
		r.MemorySwappiness = m.Swappiness
	}
	if c := in.CPU; c != nil {
		set(&r.CpuShares, c.Shares)
		set(&r.CpuQuota, c.Quota)
		set(&r.CpuPeriod, c.Period)
		set(&r.CpuRtRuntime, c.RealtimeRuntime)
		set(&r.CpuRtPeriod, c.RealtimePeriod)
		r.CpuBurst, r.CPUIdle = c.Burst, c.Idle
		r.CpusetCpus, r.CpusetMems = c.Cpus, c.Mems
		// The weight of v2 that corresponds to the shares of v1.
		r.CpuWeight = cgroups.ConvertCPUSharesToCgroupV2Value(r.CpuShares)
	}
	if p := in.Pids; p != nil {
		r.PidsLimit = p.Limit
	}
	if b := in.BlockIO; b != nil {
		set(&r.BlkioWeight, b.Weight)
		set(&r.BlkioLeafWeight, b.LeafWeight)
		for _, w := range b.WeightDevice {
			var weight, leaf uint16
			set(&weight, w.Weight)
			set(&leaf, w.LeafWeight)
			r.BlkioWeightDevice = append(r.BlkioWeightDevice, cgroups.NewWeightDevice(w.Major, w.Minor, weight, leaf))
		}
		r.BlkioThrottleReadBpsDevice = throttle(b.ThrottleReadBpsDevice)
		r.BlkioThrottleWriteBpsDevice = throttle(b.ThrottleWriteBpsDevice)
		r.BlkioThrottleReadIOPSDevice = throttle(b.ThrottleReadIOPSDevice)
		r.BlkioThrottleWriteIOPSDevice = throttle(b.ThrottleWriteIOPSDevice)
	}
	for i, h := range in.HugepageLimits {
		if h.Pagesize == "" {
			return nil, fmt.Errorf("linux.resources.hugepageLimits[%d].pageSize is missing", i)
		}
		r.HugetlbLimit = append(r.HugetlbLimit, &cgroups.HugepageLimit{Pagesize: h.Pagesize, Limit: h.Limit})
	}
	if n := in.Network; n != nil {
		set(&r.NetClsClassid, n.ClassID)
		for _, p := range n.Priorities {
			r.NetPrioIfpriomap = append(r.NetPrioIfpriomap, &cgroups.IfPrioMap{Interface: p.Name, Priority: int64(p.Priority)})
		}
	}
	if len(in.Rdma) > 0 {
		r.Rdma = make(map[string]cgroups.LinuxRdma, len(in.Rdma))
		for name, l := range in.Rdma {
			r.Rdma[name] = cgroups.LinuxRdma{HcaHandles: l.HcaHandles, HcaObjects: l.HcaObjects}
		}
	}
	return r, nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func throttle(in []specs.LinuxThrottleDevice) (out []*cgroups.ThrottleDevice) {
	for _, d := range in {
		out = append(out, cgroups.NewThrottleDevice(d.Major, d.Minor, d.Rate))
	}
	return out
}

// deviceRules is what a container may do with device nodes: nothing, then what the
// configuration says, then what every container needs.
func deviceRules(in []specs.LinuxDeviceCgroup) []*devices.Rule {
	rules := []*devices.Rule{{Type: devices.WildcardDevice, Major: devices.Wildcard, Minor: devices.Wildcard, Permissions: "rwm", Allow: false}}
	for _, d := range in {
		r := &devices.Rule{Type: devices.WildcardDevice, Major: devices.Wildcard, Minor: devices.Wildcard, Permissions: devices.Permissions(d.Access), Allow: d.Allow}
		if d.Type != "" {
			r.Type = devices.Type(d.Type[0])
		}
		set(&r.Major, d.Major)
		set(&r.Minor, d.Minor)
		if d.Access == "" {
			r.Permissions = "rwm"
		}
		rules = append(rules, r)
	}
	for _, d := range alwaysAllowed {
		rules = append(rules, &devices.Rule{Type: d.typ, Major: d.major, Minor: d.minor, Permissions: devices.Permissions(d.access), Allow: true})
	}
	return rules
}

// alwaysAllowed is the list that other runtimes allow too: nodes may be made but
// not used, except for the default devices, terminals and tun.
var alwaysAllowed = []struct {
	typ          devices.Type
	major, minor int64
	access       string
}{
	{devices.CharDevice, devices.Wildcard, devices.Wildcard, "m"},
	{devices.BlockDevice, devices.Wildcard, devices.Wildcard, "m"},
	{devices.CharDevice, 1, 3, "rwm"},                  // null
	{devices.CharDevice, 1, 5, "rwm"},                  // zero
	{devices.CharDevice, 1, 7, "rwm"},                  // full
	{devices.CharDevice, 1, 8, "rwm"},                  // random
	{devices.CharDevice, 1, 9, "rwm"},                  // urandom
	{devices.CharDevice, 5, 0, "rwm"},                  // tty
	{devices.CharDevice, 5, 2, "rwm"},                  // ptmx
	{devices.CharDevice, 136, devices.Wildcard, "rwm"}, // pts
	{devices.CharDevice, 10, 200, "rwm"},               // tun
}
