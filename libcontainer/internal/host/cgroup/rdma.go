package cgroup

import (
	"maps"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// rdma plans linux.resources.rdma (config-linux.md#rdma).
func (p *plan) rdma(devices map[string]specs.LinuxRdma) {
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		l := devices[name]
		pointer := "rdma[" + name + "]"
		value := name
		if l.HcaHandles != nil {
			value += " hca_handle=" + utoa(uint64(*l.HcaHandles))
		}
		if l.HcaObjects != nil {
			value += " hca_object=" + utoa(uint64(*l.HcaObjects))
		}
		if value == name {
			p.failProperty(pointer, "has neither hcaHandles nor hcaObjects")
		}
		s := p.add(pointer, "rdma", value, "rdma.max")
		s.restore, s.reason = keyed(name, name+" hca_handle=max hca_object=max"), absent("RDMA device", "/sys/class/infiniband/"+name)
	}
}
