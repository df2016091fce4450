package libcontainer

import "coracle/libcontainer/internal/host/cgroup"

// CgroupDriver is who makes the cgroups of containers.
type CgroupDriver = cgroup.Driver

const (
	// CgroupCgroupfs: the runtime makes them, in the file system of cgroups.
	CgroupCgroupfs = cgroup.Cgroupfs
	// CgroupSystemd: systemd does; linux.cgroupsPath has the form SLICE:PREFIX:NAME.
	CgroupSystemd = cgroup.Systemd
	// CgroupDisabled: there are none.
	CgroupDisabled = cgroup.Disabled
)

// ParseCgroupDriver checks the name of a driver: cgroupfs, systemd or disabled.
func ParseCgroupDriver(name string) (CgroupDriver, error) { return cgroup.ParseDriver(name) }
