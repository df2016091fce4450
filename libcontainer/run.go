package libcontainer

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// RunOptions are the choices of run.
type RunOptions struct {
	CreateOptions
	// Detach returns when the process has been started.
	Detach bool
	// Keep leaves the stopped container, with its cgroup, for a later delete.
	Keep bool
	// NoSubreaper does not adopt the orphans of the container.
	NoSubreaper bool
}

// Run creates a container, starts it and, unless it is detached, waits for its
// process and deletes the container. It returns the exit status of the process,
// 128 plus the number of the signal for one that a signal ended.
//
// Signals that this process gets meanwhile are passed on to the container. A
// terminal is connected with the standard streams of this process.
func (r *Runtime) Run(ctx context.Context, id string, o RunOptions) (status int, err error) {
	o.starts = true
	if o.Detach {
		interrupt, err := interruptOf(ctx)
		if err != nil {
			return 0, err
		}
		defer interrupt.Close()
		n, err := r.create(id, o.CreateOptions, interrupt)
		if err != nil {
			return 0, err
		}
		err = n.container.startDetached(n)
		n.close()
		if err != nil {
			r.deleteAfter(id)
		}
		return 0, err
	}
	if o.ConsoleSocket != "" {
		return 0, errors.New("cannot use console socket if coracle will not detach")
	}
	f, err := newForeground(r, id)
	if err != nil {
		return 0, err
	}
	defer f.close()
	if !o.NoSubreaper {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return 0, fmt.Errorf("become the reaper of the container's orphans: %w", err)
		}
	}
	o.console = f.consoleSocket
	interrupt, err := f.interrupt(ctx)
	if err != nil {
		return 0, err
	}
	defer interrupt.Close()
	n, err := r.create(id, o.CreateOptions, interrupt)
	if err != nil {
		return 0, err
	}
	defer unix.Close(n.pidfd)
	c := n.container
	if err = f.attach(); err == nil {
		f.notify, err = r.openNotify(n.dir)
	}
	if err == nil {
		err = c.start(n)
	}
	n.unlock()
	if err != nil {
		r.deleteAfter(id)
		f.reap(0)
		return 0, err
	}
	status = f.wait(c.Pid(), n.pidfd)
	r.trace("process ended")
	c.warnOfShortage(status)
	if o.Keep {
		return status, nil
	}
	return status, r.forceDelete(id, nil)
}

// deleteAfter deletes a container after a failure that is reported anyway.
func (r *Runtime) deleteAfter(id string) {
	if err := r.forceDelete(id, nil); err != nil {
		r.warn("%v", err)
	}
}
