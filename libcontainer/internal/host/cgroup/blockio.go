package cgroup

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// blockIO plans linux.resources.blockIO (config-linux.md#block-io).
func (p *plan) blockIO(b *specs.LinuxBlockIO) {
	if b == nil {
		return
	}
	v2 := p.unified("blkio")
	if given(b.Weight) {
		p.weight("blockIO.weight", *b.Weight, "", v2)
	}
	if given(b.LeafWeight) {
		p.leafWeight("blockIO.leafWeight", *b.LeafWeight, "", v2)
	}
	for i, d := range b.WeightDevice {
		pointer := fmt.Sprintf("blockIO.weightDevice[%d]", i)
		device := fmt.Sprintf("%d:%d", d.Major, d.Minor)
		if d.Weight == nil && d.LeafWeight == nil {
			p.failProperty(pointer, "has neither weight nor leafWeight")
		}
		if given(d.Weight) {
			p.weight(pointer+".weight", *d.Weight, device, v2)
		}
		if given(d.LeafWeight) {
			p.leafWeight(pointer+".leafWeight", *d.LeafWeight, device, v2)
		}
	}
	p.throttle("blockIO.throttleReadBpsDevice", b.ThrottleReadBpsDevice, "blkio.throttle.read_bps_device", "rbps", v2)
	p.throttle("blockIO.throttleWriteBpsDevice", b.ThrottleWriteBpsDevice, "blkio.throttle.write_bps_device", "wbps", v2)
	p.throttle("blockIO.throttleReadIOPSDevice", b.ThrottleReadIOPSDevice, "blkio.throttle.read_iops_device", "riops", v2)
	p.throttle("blockIO.throttleWriteIOPSDevice", b.ThrottleWriteIOPSDevice, "blkio.throttle.write_iops_device", "wiops", v2)
}

const (
	minIOWeight, maxIOWeight = 10, 1000
)

// weight plans a weight for all devices or, with device, for one.
func (p *plan) weight(pointer string, weight uint16, device string, v2 bool) {
	if weight < minIOWeight || weight > maxIOWeight {
		p.fail(pointer, "%d is out of range: %d to %d", weight, minIOWeight, maxIOWeight)
		return
	}
	value := utoa(uint64(weight))
	files := []string{"blkio.bfq.weight", "blkio.weight"}
	switch {
	case v2:
		files = []string{"io.bfq.weight", "io.weight"}
	case device != "":
		files = []string{"blkio.bfq.weight_device", "blkio.weight_device"}
	}
	s := p.add(pointer, "blkio", strings.TrimSpace(device+" "+value), files...)
	if v2 {
		// bfq uses the range of the configuration, io.cost uses 1 to 10000.
		s.values = []string{s.value, strings.TrimSpace(device + " " + utoa(1+(uint64(weight)-minIOWeight)*9999/990))}
	}
	s.reason = noWeight(device)
	switch {
	case device != "" && v2:
		s.restore = keyed(device, device+" default")
	case device != "":
		s.restore = keyed(device, device+" 0")
	case v2:
		s.restore = keyed("default", "default 100")
	}
}

// leafWeight plans a weight that only the scheduler cfq of old kernels supports.
func (p *plan) leafWeight(pointer string, weight uint16, device string, v2 bool) {
	if v2 {
		p.fail(pointer, "cgroup v2 has nothing like it")
		return
	}
	file := "blkio.leaf_weight"
	if device != "" {
		file += "_device"
	}
	s := p.add(pointer, "blkio", strings.TrimSpace(device+" "+utoa(uint64(weight))), file)
	if device != "" {
		s.restore = keyed(device, device+" 0")
	}
}

// throttle plans rate limits. A rate of 0 means no limit.
func (p *plan) throttle(pointer string, devices []specs.LinuxThrottleDevice, file, name string, v2 bool) {
	for i, d := range devices {
		pointer := fmt.Sprintf("%s[%d]", pointer, i)
		device := fmt.Sprintf("%d:%d", d.Major, d.Minor)
		if !v2 {
			s := p.add(pointer, "blkio", device+" "+utoa(d.Rate), file)
			s.restore, s.reason = keyed(device, device+" 0"), absent("disk", diskPath(device))
			continue
		}
		rate := "max"
		if d.Rate != 0 {
			rate = utoa(d.Rate)
		}
		s := p.add(pointer, "blkio", device+" "+name+"="+rate, "io.max")
		s.restore, s.reason = keyed(device, device+" rbps=max wbps=max riops=max wiops=max"), absent("disk", diskPath(device))
	}
}
