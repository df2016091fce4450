package libcontainer

import "coracle/libcontainer/internal/host/cgroup"

// CgroupDriver selects who creates the cgroups of containers.
type CgroupDriver = cgroup.Driver

const (
	// CgroupCgroupfs: the runtime creates them in the cgroup file system.
	CgroupCgroupfs = cgroup.Cgroupfs
	// CgroupSystemd: systemd creates them; linux.cgroupsPath has the form SLICE:PREFIX:NAME.
	CgroupSystemd = cgroup.Systemd
	// CgroupDisabled: containers have no cgroups.
	CgroupDisabled = cgroup.Disabled
)

// ParseCgroupDriver checks the name of a driver: cgroupfs, systemd or disabled.
func ParseCgroupDriver(name string) (CgroupDriver, error) { return cgroup.ParseDriver(name) }
