package cgroup

import (
	"fmt"

	"coracle/libcontainer/internal/fault"
)

// Driver is who creates and removes the cgroups of a container. It is chosen at the creation and
// kept in the state.
type Driver string

const (
	// Cgroupfs: this program, by files.
	Cgroupfs Driver = "cgroupfs"
	// Systemd: systemd, as a transient scope. Processes enter it by files, and limits that
	// systemd does not know are set by files.
	Systemd Driver = "systemd"
	// Disabled: the container stays in the cgroup of its creator, and has no limits.
	Disabled Driver = "disabled"
)

// ParseDriver checks the name of a driver.
func ParseDriver(name string) (Driver, error) {
	switch d := Driver(name); d {
	case Cgroupfs, Systemd, Disabled:
		return d, nil
	}
	return "", fmt.Errorf("%q is not one of cgroupfs, systemd and disabled", name)
}

// Disabled reports whether the container has no cgroup.
func (m *Manager) Disabled() bool { return m.saved.Driver == Disabled }

// errDisabled is the error of operations that need a cgroup.
var errDisabled = fault.New(fault.CgroupUnavailable, "the container was created without a cgroup (by a user who may make none, or with the cgroup driver \"disabled\")")

const noLimits = "there are no limits without a cgroup (cgroup driver \"disabled\")"

// withoutCgroup refuses what is impossible without a cgroup.
func (p *plan) withoutCgroup() error {
	if name := p.limited(nil, true); name != "" {
		return fault.Facts{Code: fault.CgroupUnavailable, Property: name}.Errorf("%s: %s", name, noLimits)
	}
	return nil
}
