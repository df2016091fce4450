package libcontainer

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/inspect"
)

// Report is the current state of a running container.
type Report struct {
	State
	inspect.Report
}

// Inspect examines a container: its namespaces and with whom it shares them, mounts,
// capabilities, seccomp filter, label, current limits, open files, and how these differ from its
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
		// The result is valid only if the process existed all the time.
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
