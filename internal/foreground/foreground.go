// Package foreground is what a command does while it waits for the process of a container. All of
// it affects the whole process, so a library must not do it: it catches and forwards signals,
// adopts and reaps orphans, connects the caller's terminal, and notifies the service manager.
package foreground

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"coracle/internal/foreground/console"
	"coracle/internal/foreground/signals"
	"coracle/libcontainer"
)

// foreground is what this process needs to wait for a container's process.
type foreground struct {
	runtime  *libcontainer.Runtime
	id       string
	signals  *signals.Pipe
	terminal *console.Foreground // nil when there is none
	notify   *notifyProxy        // nil when there is no service manager to notify
	streams  *streams
}

// open starts catching the signals that end a command. Before the process runs they end its
// creation; afterwards they are forwarded to it.
func open(rt *libcontainer.Runtime, id string) (*foreground, error) {
	pipe, err := signals.Open(signals.Ending...)
	if err != nil {
		return nil, err
	}
	streams, err := openStreams()
	if err != nil {
		pipe.Close()
		return nil, err
	}
	return &foreground{runtime: rt, id: id, signals: pipe, streams: streams}, nil
}

// started connects the standard streams with the process, which runs, unless it has a terminal.
func (f *foreground) started() {
	f.streams.noteLent()
	if f.terminal != nil {
		f.streams.close()
	} else if err := f.streams.start(); err != nil {
		warn(f.runtime, "container %q: connect the standard streams: %v", f.id, err)
	}
}

// failed gives back what a process that does not run was to have.
func (f *foreground) failed() {
	f.streams.close()
	f.streams.noteLent()
	f.streams.giveBack()
}

// close closes and restores what the container used.
func (f *foreground) close() {
	f.signals.Close()
	f.notify.close()
	if f.terminal != nil {
		f.terminal.Close()
	}
}

// until returns a context that signals end, too.
func (f *foreground) until(ctx context.Context) context.Context {
	return libcontainer.WithInterrupt(ctx, uintptr(f.signals.FD))
}

// attach connects the terminal of the container.
func (f *foreground) attach(master *os.File) (err error) {
	f.terminal, err = console.Attach(master)
	return err
}

// Interruptible calls a function with a context that ends on the signals by which users and
// engines end a command. Otherwise such a signal would end this process in the middle.
func Interruptible(ctx context.Context, do func(context.Context) error) error {
	caught, err := signals.Open(signals.Ending...)
	if err != nil {
		return err
	}
	defer caught.Close()
	return do(libcontainer.WithInterrupt(ctx, uintptr(caught.FD)))
}

// RunOptions are the options of [Run].
type RunOptions struct {
	libcontainer.CreateOptions
	// Detach makes Run return when the process has been started.
	Detach bool
	// Keep leaves the stopped container, with its cgroup, for a later delete.
	Keep bool
	// NoSubreaper means that this process does not adopt orphans of the container.
	NoSubreaper bool
	// NotifySocket is the address of a service manager to notify when the container is ready, as
	// in the environment variable of this name (sd_notify(3)); empty for none.
	NotifySocket string
}

// Run creates a container, starts it and, unless it is detached, waits for its process and
// deletes the container. It returns the exit status of the process, which is 128 plus the signal
// number if a signal ended it.
//
// Signals to this process are forwarded to the container. Its terminal is connected with the
// standard streams of this process.
func Run(ctx context.Context, rt *libcontainer.Runtime, id string, o RunOptions) (status int, err error) {
	o.Notify = o.NotifySocket != ""
	if o.Detach {
		c, notify, err := start(ctx, rt, id, o)
		if notify != nil {
			defer notify.close()
			notify.handOver(c)
		}
		return 0, err
	}
	if o.ConsoleSocket != "" {
		return 0, errors.New("cannot use console socket if coracle will not detach")
	}
	f, err := open(rt, id)
	if err != nil {
		return 0, err
	}
	defer f.close()
	if !o.NoSubreaper {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return 0, fmt.Errorf("become the reaper of the container's orphans: %w", err)
		}
	}
	o.Terminal = f.attach
	o.Stdin, o.Stdout, o.Stderr = f.streams.files[0], f.streams.files[1], f.streams.files[2]
	c, notify, err := start(f.until(ctx), rt, id, o)
	if err != nil {
		f.failed()
		f.reap(0)
		return 0, err
	}
	f.started()
	f.notify = notify
	status = f.wait(c.Pid())
	f.warnOfShortage(c, status)
	if o.Keep {
		return status, nil
	}
	return status, rt.ForceDelete(ctx, id)
}

// start creates a container and starts it. If there is a service manager to notify, it waits for
// the container with the proxy. When it fails, nothing is left behind.
func start(ctx context.Context, rt *libcontainer.Runtime, id string, o RunOptions) (*libcontainer.Container, *notifyProxy, error) {
	if !o.Notify {
		c, err := rt.Run(ctx, id, o.CreateOptions)
		return c, nil, err
	}
	c, err := rt.Create(ctx, id, o.CreateOptions)
	if err != nil {
		return nil, nil, err
	}
	notify, err := startNotify(ctx, c, o.NotifySocket)
	if err != nil {
		if failed := rt.ForceDelete(context.WithoutCancel(ctx), id); failed != nil {
			warn(rt, "%v", failed)
		}
		return nil, nil, err
	}
	return c, notify, nil
}

// Start starts a created container. If there is a service manager to notify, see [RunOptions], it
// returns when the container is ready or has ended, and makes the container's process the main
// process of the service.
func Start(ctx context.Context, c *libcontainer.Container, notifySocket string) error {
	if notifySocket == "" {
		return c.Start(ctx)
	}
	notify, err := startNotify(ctx, c, notifySocket)
	if notify != nil {
		defer notify.close()
		notify.handOver(c)
	}
	return err
}

// Exec runs an additional process in a container and waits for it. It forwards signals to the
// process, connects its terminal like [Run], and returns its exit status, which is 128 plus the
// signal number if a signal ended it.
func Exec(ctx context.Context, c *libcontainer.Container, o libcontainer.ExecOptions) (status int, err error) {
	if o.ConsoleSocket != "" {
		return 0, errors.New("cannot use console socket if coracle will not detach or allocate tty")
	}
	f, err := open(c.Runtime(), c.ID())
	if err != nil {
		return 0, err
	}
	defer f.close()
	o.Terminal = f.attach
	o.Stdin, o.Stdout, o.Stderr = f.streams.files[0], f.streams.files[1], f.streams.files[2]
	pid, err := c.Exec(f.until(ctx), o)
	if err != nil {
		f.failed()
		return 0, err
	}
	f.started()
	status = f.wait(pid)
	f.warnOfShortage(c, status)
	return status, nil
}

// wait forwards signals and reaps orphans until the process has ended and its output has been
// copied. It returns the exit status of the process, which is 128 plus the signal number if a
// signal ended it.
func (f *foreground) wait(pid int) int {
	status := f.waitForEnd(pid)
	f.streams.finish(f.signals)
	f.streams.giveBack()
	if f.terminal != nil {
		// The kernel hangs the terminal up after its last process. If other processes have it
		// open, that may be much later.
		f.terminal.Drain(time.Second)
		f.terminal.Close()
	}
	f.runtime.TracePhase("process ended")
	return status
}

func (f *foreground) waitForEnd(pid int) int {
	// It is a child that nobody has waited for, so its pid cannot have been reused.
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		warn(f.runtime, "wait for container %q: %v", f.id, os.NewSyscallError("pidfd_open", err))
		return 255
	}
	defer unix.Close(pidfd)
	if err := f.signals.Catch(forwarded()...); err != nil {
		warn(f.runtime, "container %q: %v", f.id, err)
	}
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}, {Fd: int32(f.signals.FD), Events: unix.POLLIN}, {Fd: int32(f.notify.fd()), Events: unix.POLLIN}}
	for {
		if err := poll(fds); err != nil {
			warn(f.runtime, "wait for container %q: %v", f.id, err)
			return 255
		}
		if fds[2].Revents != 0 && f.notify.ready() {
			// This process remains the main process of the service.
			f.notify.tell("READY=1", false)
		}
		for s, ok := f.signals.Next(); ok; s, ok = f.signals.Next() {
			if s != unix.SIGCHLD {
				_ = unix.PidfdSendSignal(pidfd, s, nil, 0)
			}
		}
		if status, ended := f.reap(pid); ended {
			return status
		}
	}
}

// poll is poll(2) without a timeout, restarted after signals.
func poll(fds []unix.PollFd) error {
	_, err := pollFor(fds, -1)
	return err
}

// pollFor is poll(2) with a timeout in milliseconds, restarted after signals with what is left of
// it.
func pollFor(fds []unix.PollFd, milliseconds int) (int, error) {
	for deadline := time.Now().Add(time.Duration(milliseconds) * time.Millisecond); ; {
		n, err := unix.Poll(fds, milliseconds)
		if !errors.Is(err, unix.EINTR) {
			return n, os.NewSyscallError("poll", err)
		}
		if milliseconds >= 0 {
			milliseconds = int(max(time.Until(deadline), 0).Milliseconds())
		}
	}
}

// reap waits for all children that have ended. ended reports whether the container's process was
// among them; status is its exit status.
func (f *foreground) reap(pid int) (status int, ended bool) {
	for {
		var ws unix.WaitStatus
		got, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil || got <= 0:
			return status, ended
		case got == pid:
			ended = true
			status = ws.ExitStatus()
			if ws.Signaled() {
				status = 128 + int(ws.Signal())
			}
		}
	}
}

// forwarded returns the signals to forward besides [signals.Ending], and SIGCHLD. It leaves out
// signals about this process and its own terminal, and those that the Go runtime needs.
func forwarded() []unix.Signal {
	list := make([]unix.Signal, 0, 64)
	for s := unix.Signal(1); s <= 64; s++ {
		switch s {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGTSTP, unix.SIGCONT, unix.SIGTTIN, unix.SIGTTOU, unix.SIGWINCH, unix.SIGURG,
			unix.SIGPIPE, unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGPROF:
		default:
			list = append(list, s)
		}
	}
	return list
}

// warnOfShortage warns when the container's process was killed for lack of memory, which its exit
// status does not show.
func (f *foreground) warnOfShortage(c *libcontainer.Container, status int) {
	if status != 128+int(unix.SIGKILL) {
		return
	}
	if shortage := c.KilledForMemory(); shortage != "" {
		warn(f.runtime, "container %q: a process was killed for lack of memory: %s", f.id, shortage)
	}
}

func warn(rt *libcontainer.Runtime, format string, args ...any) {
	if rt.Warn != nil {
		rt.Warn(fmt.Sprintf(format, args...))
	}
}
