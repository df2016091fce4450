package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"coracle/internal/foreground/console"
	"coracle/internal/foreground/signals"
	"coracle/libcontainer/internal/linux"
)

// foreground is what this process needs to wait for a container's process: the
// signals to pass on, the children to reap and the terminal to connect.
type foreground struct {
	runtime *Runtime
	id      string
	signals *signals.Pipe
	// consoleOurs gets the master of the terminal; nil without one.
	consoleOurs *os.File
	terminal    *console.Foreground
	notify      *notifyProxy // nil when nobody is to be told that the container is ready
}

// newForeground begins to catch the signals that end a command: before the process runs they
// end its creation, and then they are passed on to it.
func newForeground(r *Runtime, id string) (*foreground, error) {
	pipe, err := signals.Open(signals.Ending...)
	if err != nil {
		return nil, err
	}
	return &foreground{runtime: r, id: id, signals: pipe}, nil
}

// interrupt is what ends a set-up: a signal, or the end of the context.
func (f *foreground) interrupt(ctx context.Context) (*linux.Interrupt, error) {
	return linux.NewInterrupt(ctx, linux.NewFD(f.signals.FD))
}

// consoleSocket makes the socket that the terminal comes through, and returns the
// end for the init.
func (f *foreground) consoleSocket() (*os.File, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	f.consoleOurs = os.NewFile(uintptr(pair[0]), "console")
	return os.NewFile(uintptr(pair[1]), "console"), nil
}

// forwarded are the signals that are passed on besides [signals.Ending], and SIGCHLD.
// Those about this process and its own terminal are not among them, nor those that
// the Go runtime needs.
func forwarded() []unix.Signal {
	own := map[unix.Signal]bool{
		unix.SIGKILL: true, unix.SIGSTOP: true, unix.SIGTSTP: true, unix.SIGCONT: true, unix.SIGTTIN: true, unix.SIGTTOU: true,
		unix.SIGWINCH: true, unix.SIGURG: true, unix.SIGPIPE: true, unix.SIGSEGV: true, unix.SIGBUS: true, unix.SIGFPE: true,
		unix.SIGILL: true, unix.SIGTRAP: true, unix.SIGPROF: true,
	}
	var list []unix.Signal
	for s := unix.Signal(1); s <= 64; s++ {
		if !own[s] {
			list = append(list, s)
		}
	}
	return list
}

// close gives back what the container used.
func (f *foreground) close() {
	f.signals.Close()
	f.notify.close()
	if f.consoleOurs != nil {
		f.consoleOurs.Close()
	}
	if f.terminal != nil {
		f.terminal.Close()
	}
}

// attach takes the terminal of the container.
func (f *foreground) attach() error {
	if f.consoleOurs == nil {
		return nil
	}
	master, err := receiveTerminal(f.consoleOurs)
	if err != nil {
		return err
	}
	f.terminal, err = console.Attach(master)
	return err
}

// receiveTerminal receives the master that the init has sent. It is there before
// the container is created.
func receiveTerminal(socket *os.File) (*os.File, error) {
	_, fd, err := linux.ReceiveFD(int(socket.Fd()), make([]byte, 64), unix.MSG_DONTWAIT)
	if err == nil && !fd.Exists() {
		err = errors.New("no descriptor came")
	}
	if err != nil {
		return nil, fmt.Errorf("receive the terminal: %w", err)
	}
	return os.NewFile(uintptr(fd.Int()), "terminal"), nil
}

// wait passes signals on and reaps orphans until the process has ended and its
// output has been copied. It returns the exit status of the process, 128 plus the
// number of the signal for one that a signal ended.
func (f *foreground) wait(pid, pidfd int) int {
	status := f.waitForEnd(pid, pidfd)
	if f.terminal != nil {
		// After the last process the kernel ends the terminal. Where others have it
		// open too, that may be much later.
		f.terminal.Drain(time.Second)
		f.terminal.Close()
	}
	return status
}

func (f *foreground) waitForEnd(pid, pidfd int) int {
	if err := f.signals.Catch(forwarded()...); err != nil {
		f.runtime.warn("container %q: %v", f.id, err)
	}
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}, {Fd: int32(f.signals.FD), Events: unix.POLLIN}, {Fd: int32(f.notify.fd()), Events: unix.POLLIN}}
	for {
		if _, err := linux.Poll(fds, linux.Forever); err != nil {
			f.runtime.warn("wait for container %q: %v", f.id, err)
			return 255
		}
		if fds[2].Revents != 0 && f.notify.ready() {
			// This process stays the one to watch.
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

// reap waits for all children that have ended. It tells the exit status when the
// container's process is among them.
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
