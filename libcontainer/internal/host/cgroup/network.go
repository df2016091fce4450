package cgroup

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// network plans linux.resources.network (config-linux.md#network), which only cgroup v1 supports.
func (p *plan) network(n *specs.LinuxNetwork) {
	if n == nil {
		return
	}
	if n.ClassID != nil && *n.ClassID != 0 {
		if p.unified("net_cls") {
			p.fail("network.classID", "cgroup v2 has nothing like it")
		}
		p.add("network.classID", "net_cls", utoa(uint64(*n.ClassID)), "net_cls.classid")
	}
	for i, l := range n.Priorities {
		pointer := fmt.Sprintf("network.priorities[%d]", i)
		if p.unified("net_prio") {
			p.fail(pointer, "cgroup v2 has nothing like it")
		}
		s := p.add(pointer, "net_prio", fmt.Sprintf("%s %d", l.Name, l.Priority), "net_prio.ifpriomap")
		s.restore, s.reason = keyed(l.Name, l.Name+" 0"), absent("network interface", "/sys/class/net/"+l.Name)
	}
}
