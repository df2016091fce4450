package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/failpoint"
	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/host/rdt"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/state"
)

// Signal sends a signal to the first process of the container. SIGKILL reaches all its processes:
// in a shared pid namespace the processes of the cgroup are killed one by one, even if the first
// one has ended. The error wraps [ErrNotRunning] when there is no process to signal.
func (c *Container) Signal(ctx context.Context, sig unix.Signal) (err error) {
	defer explain(&err, c.id, "kill")
	interrupt, err := interruptOf(ctx)
	if err != nil {
		return err
	}
	defer interrupt.Close()
	record, err := c.reload()
	if err != nil {
		return err
	}
	group := cgroup.Load(record.Cgroup)
	group.Interrupt = interrupt
	if sig == unix.SIGKILL && !record.PrivatePid && !group.Disabled() {
		alive, err := record.Alive()
		if err == nil && !alive && record.Cgroup.Claimed {
			var left []int
			left, err = group.Pids()
			alive = len(left) > 0
		}
		if err != nil || !alive {
			return c.notRunning(err)
		}
		return group.Signal(sig)
	}
	pidfd, err := record.OpenInit()
	if err != nil {
		return c.notRunning(err)
	}
	defer unix.Close(pidfd)
	if record.PrivatePid && terminates(sig) {
		release, waits := c.waitsForStart()
		defer release()
		if waits {
			sig = unix.SIGKILL
		}
	}
	if err := unix.PidfdSendSignal(pidfd, sig, nil, 0); err != nil {
		if errors.Is(err, unix.ESRCH) {
			return c.notRunning(nil)
		}
		return fmt.Errorf("signal container %q: %w", c.id, err)
	}
	c.runtime.trace("signal sent")
	if sig == unix.SIGKILL && !group.KilledWhenFrozen() {
		group.ThawAll()
	}
	return nil
}

// terminates reports whether the default action of a signal ends a process (signal(7)).
func terminates(sig unix.Signal) bool {
	switch sig {
	case 0, unix.SIGCHLD, unix.SIGCONT, unix.SIGURG, unix.SIGWINCH, unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return false
	}
	return true
}

// waitsForStart reports whether the container is created and no command is starting it; this
// stays so until release is called. The first process of a pid namespace has no default actions,
// so before it executes the command, which may handle signals, only SIGKILL ends it. Otherwise an
// engine that stops a container that it has not started would wait for its timeout.
func (c *Container) waitsForStart() (release func(), waits bool) {
	dir, err := c.runtime.root().Open(c.id)
	if err != nil {
		return func() {}, false
	}
	if dir.HasGate() {
		locked, _ := dir.TryLock()
		waits = locked && dir.HasGate() && runsImage(c.record.Pid)
	}
	return dir.Close, waits
}

// SignalAll sends a signal to every process in the cgroup of the container, even if the first one
// has ended.
func (c *Container) SignalAll(ctx context.Context, sig unix.Signal) (err error) {
	defer explain(&err, c.id, "kill")
	interrupt, err := interruptOf(ctx)
	if err != nil {
		return err
	}
	defer interrupt.Close()
	record, err := c.reload()
	if err != nil {
		return err
	}
	group := cgroup.Load(record.Cgroup)
	group.Interrupt = interrupt
	return group.Signal(sig)
}

func (c *Container) notRunning(err error) error {
	if err != nil && !errors.Is(err, state.ErrGone) {
		return err
	}
	return fmt.Errorf("container %q: %w", c.id, ErrNotRunning)
}

// orNotRunning replaces an error by [ErrNotRunning] if the container was ending: errors are
// arbitrary when the container is partly gone.
func (c *Container) orNotRunning(err error) error {
	if err == nil || errors.Is(err, ErrNotRunning) || c.record == nil || !c.record.Ending() {
		return err
	}
	return c.notRunning(nil)
}

func (c *Container) reload() (*state.Record, error) {
	fresh, err := c.runtime.load(c.id)
	if err != nil {
		return nil, err
	}
	c.record = fresh.record
	return c.record, nil
}

// lock locks the container against other commands until the directory is closed, and reads its
// record.
func (c *Container) lock(interrupt *linux.Interrupt) (*state.Dir, specs.ContainerState, error) {
	dir, err := c.runtime.root().Open(c.id)
	if err != nil {
		return nil, "", err
	}
	var s specs.ContainerState
	if err = dir.Lock(interrupt); err == nil {
		if c.record, err = dir.Load(); err == nil {
			s, err = status(dir, c.record, true)
		}
	}
	if err != nil {
		dir.Close()
		return nil, "", err
	}
	return dir, s, nil
}

// Delete removes a stopped container, or one whose creation was interrupted: its cgroup with all
// remaining processes, and its state.
func (c *Container) Delete(ctx context.Context) (err error) {
	defer explain(&err, c.id, "delete")
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
	switch s {
	case specs.StateStopped:
	case specs.StateCreating:
		// This process has the lock, so no command is creating the container: create was killed,
		// or a run that would have started it. Its init dies soon, or waits in vain. BuildKit
		// kills the steps of a cancelled build in this way, and does not try again.
		if err := killInit(c.record, interrupt); err != nil {
			return fmt.Errorf("container %q: %w", c.id, err)
		}
	default:
		return fault.NotStopped.Errorf("cannot delete container %q that is not stopped: it is %s", c.id, s)
	}
	return c.runtime.destroy(dir, c.record, interrupt)
}

// destroy removes everything of a container whose init has ended.
func (r *Runtime) destroy(dir *state.Dir, record *state.Record, interrupt *linux.Interrupt) error {
	group := cgroup.Load(record.Cgroup)
	group.Interrupt = interrupt
	end := group.Destroy
	if dir.Creating() {
		end = group.Undo
	}
	if err := end(); err != nil {
		return fmt.Errorf("container %q: %w", dir.ID, err)
	}
	r.trace("cgroup removed")
	if record.Rdt != nil {
		if err := rdt.Load(*record.Rdt).Remove(); err != nil {
			return fmt.Errorf("container %q: %w", dir.ID, err)
		}
	}
	var spec *specs.Spec
	if record.Poststop {
		// "after the container is deleted": read the configuration now, before it is removed.
		spec, _ = specOf(dir)
	}
	if err := dir.Remove(); err != nil {
		return err
	}
	r.trace("state removed")
	r.afterStop(spec, record, interrupt)
	return nil
}

// killTimeout is how long a process may take to die from SIGKILL.
const killTimeout = 10 * time.Second

// thawInterval is how often dying processes are thawed.
const thawInterval = 100 * time.Millisecond

// ForceDelete kills a container and removes it. It works in any condition that a killed command
// can leave behind, and succeeds when there is no container.
func (r *Runtime) ForceDelete(ctx context.Context, id string) (err error) {
	defer explain(&err, id, "delete")
	interrupt, err := interruptOf(ctx)
	if err != nil {
		return err
	}
	defer interrupt.Close()
	return r.forceDelete(id, interrupt)
}

func (r *Runtime) forceDelete(id string, interrupt *linux.Interrupt) error {
	dir, err := r.root().Open(id)
	if errors.Is(err, ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := r.interruptOthers(dir, interrupt); err != nil {
		return err
	}
	record, err := dir.Load()
	if errors.Is(err, ErrNotExist) {
		// The creation was interrupted before it had any effect except this directory, or a
		// deletion after all else was removed.
		return dir.Remove()
	}
	if errors.Is(err, state.ErrUnreadable) {
		return fmt.Errorf("%w (when nothing of it is needed any more, remove %s by hand)", err, dir.Path)
	}
	if err != nil {
		return err
	}
	if err := killInit(record, interrupt); err != nil {
		return fmt.Errorf("container %q: %w", id, err)
	}
	r.trace("container killed")
	return r.destroy(dir, record, interrupt)
}

// interruptOthers takes the lock of a container from a create or start that is still running:
// that command gives it up when the init, and the poststart hook if there is one, has ended.
func (r *Runtime) interruptOthers(dir *state.Dir, interrupt *linux.Interrupt) error {
	ok, err := dir.TryLock()
	if err != nil || ok {
		return err
	}
	if record, err := dir.Load(); err == nil {
		if err := killInit(record, interrupt); err != nil {
			return fmt.Errorf("container %q: %w", dir.ID, err)
		}
	}
	patience := failpoint.Patience(killTimeout)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		dir.KillHook()
		if ok, err := dir.TryLock(); err != nil || ok {
			return err
		}
		if err := interrupt.Sleep(5 * time.Millisecond); err != nil {
			return fmt.Errorf("lock container %q: %w", dir.ID, err)
		}
	}
	return dir.Occupied(patience)
}

// killInit kills the first process of a container and waits for its end.
func killInit(record *state.Record, interrupt *linux.Interrupt) error {
	pidfd, err := record.OpenInit()
	if errors.Is(err, state.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	if err := unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill the init process: %w", err)
	}
	group := cgroup.Load(record.Cgroup)
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	patience := failpoint.Patience(killTimeout)
	for deadline := time.Now().Add(patience); ; {
		// A frozen process does not die, and the first process of a pid namespace dies last.
		// Processes may be frozen again in the meantime.
		group.ThawAll()
		n, err := interrupt.PollUntil(fds, time.Now().Add(thawInterval))
		switch {
		case err != nil:
			return fmt.Errorf("wait for the init process: %w", err)
		case n > 0:
			return nil
		case time.Now().After(deadline):
			return fault.InitSilent.Errorf("the init process %d did not die from SIGKILL in %d s%s", record.Pid, patience/time.Second, launch.Held(record.Pid))
		}
	}
}
