package libcontainer

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/internal/foreground/signals"
	"coracle/libcontainer/internal/host/cgroup"
)

// Pause stops all processes of a running or created container. When that fails, they go
// on.
func (c *Container) Pause() error {
	dir, s, err := c.lock()
	if err != nil {
		return err
	}
	defer dir.Close()
	if s == specs.StateStopped {
		return fmt.Errorf("cannot pause: %w", c.notRunning(nil))
	}
	if s != specs.StateRunning && s != specs.StateCreated {
		return fmt.Errorf("cannot pause container %q: it is %s, not running or created", c.id, s)
	}
	// A command that ends in the middle would leave them half frozen.
	caught, err := signals.Open(ending...)
	if err != nil {
		return err
	}
	defer caught.Close()
	if err := cgroup.Load(c.record.Cgroup).Freeze(caught.FD); err != nil {
		return fmt.Errorf("cannot pause container %q: %w", c.id, c.orNotRunning(err))
	}
	c.runtime.trace("processes frozen")
	return nil
}

// Resume lets the processes of a paused container go on.
func (c *Container) Resume() error {
	dir, s, err := c.lock()
	if err != nil {
		return err
	}
	defer dir.Close()
	if s == specs.StateStopped {
		return fmt.Errorf("cannot resume: %w", c.notRunning(nil))
	}
	if s != StatusPaused {
		return fmt.Errorf("cannot resume container %q: it is %s, not paused", c.id, s)
	}
	if err := cgroup.Load(c.record.Cgroup).Unfreeze(); err != nil {
		return fmt.Errorf("cannot resume container %q: %w", c.id, c.orNotRunning(err))
	}
	c.runtime.trace("processes thawed")
	return nil
}
