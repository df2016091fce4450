package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/console"
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
func (r *Runtime) Run(id string, o RunOptions) (status int, err error) {
	if o.Detach {
		c, err := r.Create(id, o.CreateOptions)
		if err != nil {
			return 0, err
		}
		if err := c.startOrDelete(); err != nil {
			return 0, err
		}
		return 0, nil
	}
	if o.ConsoleSocket != "" {
		return 0, errors.New("cannot use console socket if coracle will not detach")
	}
	f, err := newForeground(r, id, o)
	if err != nil {
		return 0, err
	}
	defer f.close()
	return f.run()
}

// startOrDelete starts a container that nobody else knows of.
func (c *Container) startOrDelete() error {
	if err := c.Start(); err != nil {
		if deleteErr := c.runtime.ForceDelete(c.id); deleteErr != nil {
			c.runtime.warn("%v", deleteErr)
		}
		return err
	}
	return nil
}

// foreground is a container that this process waits for.
type foreground struct {
	runtime *Runtime
	id      string
	options RunOptions
	signals chan os.Signal
	// interrupt and interruptWrite are a pipe that wakes Create for a signal.
	interrupt, interruptWrite *os.File
	// consoleOurs gets the master of the terminal; nil without one.
	consoleOurs *os.File
	terminal    *console.Foreground
}

func newForeground(r *Runtime, id string, o RunOptions) (*foreground, error) {
	f := &foreground{runtime: r, id: id, options: o, signals: make(chan os.Signal, 128)}
	// Signals first: none may be lost, and a child may end at any time from here on.
	signal.Notify(f.signals, forwarded()...)
	signal.Ignore(unix.SIGPIPE)
	if !o.NoSubreaper {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, fmt.Errorf("become the reaper of the container's orphans: %w", err)
		}
	}
	var err error
	if f.interrupt, f.interruptWrite, err = os.Pipe(); err != nil {
		return nil, err
	}
	return f, nil
}

// forwarded are the signals that are passed on, and SIGCHLD. Those about this
// process and its own terminal are not among them, nor those that the Go runtime
// needs.
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

func (f *foreground) close() {
	signal.Stop(f.signals)
	f.interrupt.Close()
	f.interruptWrite.Close()
	if f.consoleOurs != nil {
		f.consoleOurs.Close()
	}
	if f.terminal != nil {
		f.terminal.Close()
	}
}

func (f *foreground) run() (int, error) {
	created := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		f.interruptOnSignal(created)
	}()
	c, err := f.create()
	close(created)
	<-stopped
	if err != nil {
		return 0, err
	}
	pidfd, err := unix.PidfdOpen(c.Pid(), 0)
	if err == nil {
		defer unix.Close(pidfd)
		if err = f.attach(); err == nil {
			err = c.Start()
		}
	}
	if err != nil {
		if deleteErr := f.runtime.ForceDelete(f.id); deleteErr != nil {
			f.runtime.warn("%v", deleteErr)
		}
		f.reap(0)
		return 0, err
	}
	status := f.wait(c, pidfd)
	if f.terminal != nil {
		// After the last process the kernel ends the terminal. Where others share
		// the pid namespace, one may be left.
		f.terminal.Drain(time.Second)
		f.terminal.Close()
	}
	if f.options.Keep {
		return status, nil
	}
	return status, f.runtime.ForceDelete(f.id)
}

// interruptOnSignal gives the creation up when a signal asks to end.
func (f *foreground) interruptOnSignal(created <-chan struct{}) {
	for {
		select {
		case <-created:
			return
		case s := <-f.signals:
			if s == unix.SIGINT || s == unix.SIGTERM || s == unix.SIGHUP || s == unix.SIGQUIT {
				_, _ = f.interruptWrite.Write([]byte{0})
				return
			}
		}
	}
}

// create makes the container, with a socket for its terminal when it has one.
func (f *foreground) create() (*Container, error) {
	o := f.options.CreateOptions
	o.interrupt = f.interrupt
	o.console = func() (*os.File, error) {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, os.NewSyscallError("socketpair", err)
		}
		f.consoleOurs = os.NewFile(uintptr(pair[0]), "console")
		return os.NewFile(uintptr(pair[1]), "console"), nil
	}
	return f.runtime.Create(f.id, o)
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

// wait passes signals on and reaps children until the first process has ended.
func (f *foreground) wait(c *Container, pidfd int) int {
	// The process may have ended before SIGCHLD could be noticed.
	f.signals <- unix.SIGCHLD
	for s := range f.signals {
		sig, ok := s.(unix.Signal)
		if !ok {
			continue
		}
		switch sig {
		case unix.SIGCHLD:
			if status, ended := f.reap(c.Pid()); ended {
				return status
			}
		default:
			_ = unix.PidfdSendSignal(pidfd, sig, nil, 0)
		}
	}
	return 0
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
