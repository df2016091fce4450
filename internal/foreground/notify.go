package foreground

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer"
)

// notifyProxy forwards that a container is ready, and nothing else: messages of a container must
// not change how the service manager treats the runtime's service.
type notifyProxy struct {
	runtime *libcontainer.Runtime
	id      string
	socket  *os.File // receives the container's messages
	manager string   // the address of the service manager
}

// startNotify starts a container. The proxy is nil if the container was created without a mount
// for the socket, or could not be started.
func startNotify(ctx context.Context, c *libcontainer.Container, manager string) (*notifyProxy, error) {
	socket, err := c.StartNotify(ctx)
	if err != nil || socket == nil {
		return nil, err
	}
	return &notifyProxy{c.Runtime(), c.ID(), socket, manager}, nil
}

func (p *notifyProxy) close() {
	if p != nil {
		p.socket.Close()
	}
}

// fd returns the descriptor that becomes readable when the container sends a message; -1 without
// a proxy.
func (p *notifyProxy) fd() int {
	if p == nil {
		return -1
	}
	return int(p.socket.Fd())
}

// ready reads one message and reports whether it says that the container is ready. The kernel
// closes the descriptors in the message, which is what their sender waits for
// (sd_notify_barrier(3)).
func (p *notifyProxy) ready() bool {
	buf := make([]byte, 64<<10)
	n, _, err := unix.Recvfrom(int(p.socket.Fd()), buf, unix.MSG_DONTWAIT)
	if err != nil {
		return false
	}
	for line := range bytes.SplitSeq(buf[:n], []byte("\n")) {
		if string(line) == "READY=1" {
			return true
		}
	}
	return false
}

// handOver waits until the container is ready or has ended, and makes its first process the main
// process of the service.
func (p *notifyProxy) handOver(c *libcontainer.Container) {
	pidfd, err := c.Pidfd() // none when it has ended; its messages can still be read
	defer unix.Close(pidfd)
	for {
		fds := []unix.PollFd{{Fd: int32(p.socket.Fd()), Events: unix.POLLIN}, {Fd: int32(pidfd), Events: unix.POLLIN}}
		if err == nil {
			err = poll(fds)
		}
		if p.ready() {
			// The manager accepts the message only while this process exists.
			p.tell(fmt.Sprintf("MAINPID=%d\nREADY=1", c.Pid()), true)
			return
		}
		if errors.Is(err, libcontainer.ErrNotRunning) || fds[1].Revents != 0 && fds[0].Revents == 0 {
			return
		}
		if err != nil {
			warn(p.runtime, "container %q: wait until it is ready: %v", p.id, err)
			return
		}
	}
}

// tell sends a message to the service manager. With barrier it returns when the manager has read
// it.
func (p *notifyProxy) tell(message string, barrier bool) {
	err := send(p.manager, message, nil)
	if err == nil && barrier {
		err = p.barrier()
	}
	if err != nil {
		warn(p.runtime, "tell the service manager (NOTIFY_SOCKET) that container %q is ready: %v", p.id, err)
	}
}

// barrierTimeout is how long the service manager may take to read a message.
const barrierTimeout = 5 * time.Second

// barrier sends one end of a pipe, and waits until the manager has closed it.
func (p *notifyProxy) barrier() error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe", err)
	}
	defer unix.Close(pipe[0])
	err := send(p.manager, "BARRIER=1", unix.UnixRights(pipe[1]))
	unix.Close(pipe[1])
	if err != nil {
		return err
	}
	n, err := pollFor([]unix.PollFd{{Fd: int32(pipe[0])}}, int(barrierTimeout.Milliseconds()))
	if err == nil && n == 0 {
		return errors.New("it does not read")
	}
	return err
}

// send sends a message, with descriptors, to the socket of a service manager: a path or, with
// @, a name in the abstract namespace.
func send(address, message string, rights []byte) error {
	if !strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "@") {
		return fmt.Errorf("%q is neither the path nor the @name of a socket", address)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	// A manager that does not read lets its queue become full.
	limit := unix.NsecToTimeval(barrierTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if dir, name := filepath.Split(address); dir != "" {
		// Through a descriptor, because the path may be too long for a socket address.
		//allow:path the caller's own path, as connect(2) would take it
		d, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: dir, Err: err}
		}
		defer unix.Close(d)
		address = fmt.Sprintf("/proc/self/fd/%d/%s", d, name)
	}
	for {
		err := unix.Sendmsg(fd, []byte(message), rights, &unix.SockaddrUnix{Name: address}, unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("sendmsg", err)
		}
	}
}
