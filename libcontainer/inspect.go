package libcontainer

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/inspect"
)

// Report is what a running container is now.
type Report struct {
	State
	inspect.Report
}

// Inspect looks at what a container is: its namespaces and whom it shares them with, mounts,
// capabilities, filter, label, limits in force, open files, and where that differs from its
// configuration. It changes nothing. The error wraps [ErrNotRunning] for a stopped container.
func (c *Container) Inspect() (*Report, error) {
	s, err := c.State()
	if err != nil {
		return nil, err
	}
	if s.Status == specs.StateStopped || s.Pid == 0 {
		return nil, c.notRunning(nil)
	}
	spec, err := c.spec()
	if err != nil {
		return nil, err
	}
	states, err := c.runtime.List()
	if err != nil {
		return nil, err
	}
	others := make(map[string]int)
	for _, o := range states {
		if o.ID != c.id && o.Pid != 0 {
			others[o.ID] = o.Pid
		}
	}
	report, err := inspect.Inspect(inspect.Subject{Pid: s.Pid, Status: s.Status, Spec: spec, Cgroups: cgroup.Load(c.record.Cgroup).Dirs(), Others: others})
	if err == nil {
		// What was read is the container's only if its process was there all the time.
		var alive bool
		if alive, err = c.record.Alive(); err == nil && !alive {
			return nil, c.notRunning(nil)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("inspect container %q: %w", c.id, c.orNotRunning(err))
	}
	return &Report{State: *s, Report: *report}, nil
}
