package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/console"
)

// foreground is what this process needs to wait for a container's process: the
// signals to pass on, the children to reap and the terminal to connect.
type foreground struct {
	runtime *Runtime
	id      string
	signals chan os.Signal

	catchOnce sync.Once
	// wake is a pipe: each signal is written to it as one byte.
	wake, wakeWrite int
	// consoleOurs gets the master of the terminal; nil without one.
	consoleOurs *os.File
	terminal    *console.Foreground
}

// ending are the signals by which users and engines end a command. To catch a signal
// takes the Go runtime some time, so these come before all others.
var ending = []os.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT}

func newForeground(r *Runtime, id string) (*foreground, error) {
	f := &foreground{runtime: r, id: id, signals: make(chan os.Signal, 128)}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe", err)
	}
	f.wake, f.wakeWrite = pipe[0], pipe[1]
	return f, nil
}

// catch catches the signals that end a command. An ordinary creation is over before
// that would have taken effect, so it begins when one turns out to be slow, or when
// the process runs for longer than a moment.
func (f *foreground) catch() {
	f.catchOnce.Do(func() {
		signal.Notify(f.signals, ending...)
		go f.watchSignals()
	})
}

// slow is called when a set-up takes longer than usual: from then on a signal can
// end it.
func (f *foreground) slow() int {
	f.catch()
	return f.wake
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

// watchSignals turns signals into bytes, for poll(2).
func (f *foreground) watchSignals() {
	for s := range f.signals {
		if sig, ok := s.(unix.Signal); ok {
			_, _ = unix.Write(f.wakeWrite, []byte{byte(sig)})
		}
	}
}

// How long, in milliseconds, a process runs before it is worth to catch the signals
// of ending, and then all others too.
const shortLived, longLived = 2, 20

// forwarded are the signals that are passed on besides those of ending, and SIGCHLD.
// Those about this process and its own terminal are not among them, nor those that
// the Go runtime needs.
func forwarded() []os.Signal {
	own := map[unix.Signal]bool{
		unix.SIGKILL: true, unix.SIGSTOP: true, unix.SIGTSTP: true, unix.SIGCONT: true, unix.SIGTTIN: true, unix.SIGTTOU: true,
		unix.SIGWINCH: true, unix.SIGURG: true, unix.SIGPIPE: true, unix.SIGSEGV: true, unix.SIGBUS: true, unix.SIGFPE: true,
		unix.SIGILL: true, unix.SIGTRAP: true, unix.SIGPROF: true,
	}
	var signals []os.Signal
	for s := unix.Signal(1); s <= 64; s++ {
		if !own[s] {
			signals = append(signals, s)
		}
	}
	return signals
}

// close gives back what the container used. Signals stay caught: the process is
// about to end with the status that run returns, and not by them.
func (f *foreground) close() {
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
	// From now on a signal must not end this process before it has put the person's
	// terminal back.
	f.catch()
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
	data, oob := make([]byte, 64), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(socket.Fd()), data, oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		return nil, fmt.Errorf("receive the terminal: %w", os.NewSyscallError("recvmsg", err))
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return nil, errors.New("receive the terminal: no descriptor came")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.New("receive the terminal: no descriptor came")
	}
	return os.NewFile(uintptr(fds[0]), "terminal"), nil
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
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}, {Fd: int32(f.wake), Events: unix.POLLIN}}
	sig := make([]byte, 1)
	timeout := shortLived
	for {
		n, err := unix.Poll(fds, timeout)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			f.runtime.warn("wait for container %q: %v", f.id, err)
			return 255
		case n == 0 && timeout == shortLived:
			f.catch()
			timeout = longLived
			continue
		case n == 0:
			timeout = -1
			signal.Notify(f.signals, forwarded()...)
			f.signals <- unix.SIGCHLD // for what has ended already
			continue
		}
		if fds[0].Revents != 0 {
			if status, ended := f.reap(pid); ended {
				return status
			}
		}
		if fds[1].Revents == 0 {
			continue
		}
		if n, err := unix.Read(f.wake, sig); n != 1 || err != nil {
			continue
		}
		if s := unix.Signal(sig[0]); s != unix.SIGCHLD {
			_ = unix.PidfdSendSignal(pidfd, s, nil, 0)
		} else if status, ended := f.reap(pid); ended {
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
