package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/cgroup"
)

// Event is an event of a container: of type "stats" with data, or of type "oom" when it ran out
// of memory.
type Event struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Data *Stats `json:"data,omitempty"`
}

// Events calls emit with statistics after each interval, and when memory runs out, until the
// container has stopped, emit returns an error, or the context is over.
func (c *Container) Events(ctx context.Context, interval time.Duration, emit func(Event) error) (err error) {
	defer explain(&err, c.id, "events")
	interrupt, err := interruptOf(ctx)
	if err != nil {
		return err
	}
	defer interrupt.Close()
	if _, err := c.Stats(); err != nil {
		return err
	}
	pidfd, err := c.record.OpenInit()
	if err != nil {
		return c.notRunning(err)
	}
	defer unix.Close(pidfd)
	watch, err := cgroup.Load(c.record.Cgroup).WatchOOM()
	if err != nil {
		return fmt.Errorf("events of container %q: %w", c.id, err)
	}
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	if watch != nil {
		defer watch.Close()
		fds = append(fds, unix.PollFd{Fd: int32(watch.FD), Events: watch.Events})
	}
	outOfMemory := func() error {
		if watch == nil {
			return nil
		}
		for range watch.Happened() {
			if err := emit(Event{Type: "oom", ID: c.id}); err != nil {
				return err
			}
		}
		return nil
	}
	for next := time.Now().Add(interval); ; {
		if _, err := interrupt.PollUntil(fds, next); err != nil {
			return fmt.Errorf("events of container %q: %w", c.id, err)
		}
		// Running out of memory may be what ended the container.
		if err := outOfMemory(); err != nil {
			return err
		}
		if fds[0].Revents != 0 {
			return nil
		}
		if time.Now().Before(next) {
			continue
		}
		next = time.Now().Add(interval)
		s, err := c.stats()
		if errors.Is(err, ErrNotRunning) {
			continue // the pidfd reports the end as well
		}
		if err != nil {
			return err
		}
		if err := emit(Event{Type: "stats", ID: c.id, Data: s}); err != nil {
			return err
		}
	}
}
