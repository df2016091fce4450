package libcontainer

import (
	"context"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/host/cgroup"
)

// Pause freezes all processes of a running or created container. When that fails, or the context
// ends it, they continue. If the calling process ends in the middle, they stay partly frozen.
func (c *Container) Pause(ctx context.Context) (err error) {
	defer explain(&err, c.id, "pause")
	interrupt, err := interruptOf(ctx)
	if err != nil {
		return err
	}
	defer interrupt.Close()
	dir, s, err := c.lock(interrupt)
	if err != nil {
		return err
	}
	defer dir.Close()
	if s == specs.StateStopped {
		return fmt.Errorf("cannot pause: %w", c.notRunning(nil))
	}
	if s != specs.StateRunning && s != specs.StateCreated {
		return statusCode(s).Errorf("cannot pause container %q: it is %s, not running or created", c.id, s)
	}
	group := cgroup.Load(c.record.Cgroup)
	group.Interrupt = interrupt
	if err := group.Freeze(); err != nil {
		return fmt.Errorf("cannot pause container %q: %w", c.id, c.orNotRunning(err))
	}
	c.runtime.trace("processes frozen")
	return nil
}

// Resume thaws the processes of a paused container.
func (c *Container) Resume(ctx context.Context) (err error) {
	defer explain(&err, c.id, "resume")
	interrupt, err := interruptOf(ctx)
	if err != nil {
		return err
	}
	defer interrupt.Close()
	dir, s, err := c.lock(interrupt)
	if err != nil {
		return err
	}
	defer dir.Close()
	if s == specs.StateStopped {
		return fmt.Errorf("cannot resume: %w", c.notRunning(nil))
	}
	if s != StatusPaused {
		return statusCode(s).Errorf("cannot resume container %q: it is %s, not paused", c.id, s)
	}
	group := cgroup.Load(c.record.Cgroup)
	group.Interrupt = interrupt
	if err := group.Unfreeze(); err != nil {
		return fmt.Errorf("cannot resume container %q: %w", c.id, c.orNotRunning(err))
	}
	c.runtime.trace("processes thawed")
	return nil
}
