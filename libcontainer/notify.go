package libcontainer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/state"
)

// Where a container finds the socket at which it says that it is ready.
const (
	notifyDir = "/run/notify"
	notifyEnv = "NOTIFY_SOCKET"
)

// notifyMount gives a container the place for the socket, when there is a service manager
// to be told (sd_notify(3)). A container whose configuration names a socket looks after
// that itself.
func (n *creator) notifyMount() error {
	s := n.bundle.Spec
	if n.runtime.NotifySocket == "" || s.Process == nil {
		return nil
	}
	if _, own := oci.Env(s.Process.Env).Lookup(notifyEnv); own {
		return nil
	}
	if oci.Namespace(s, specs.MountNamespace) == nil {
		n.runtime.warn("%s is not passed on to container %q: it has no mount namespace of its own", notifyEnv, n.record.ID)
		return nil
	}
	dir, err := n.dir.MakeNotify()
	if err != nil {
		return err
	}
	s.Mounts = append(s.Mounts, specs.Mount{
		Destination: notifyDir, Type: "bind", Source: dir, Options: []string{"bind", "ro", "nosuid", "nodev", "noexec", "private"},
	})
	s.Process.Env = oci.Env(s.Process.Env).With(notifyEnv, notifyDir+"/"+state.NotifySocket)
	return nil
}

// notifyProxy passes on that a container is ready, and nothing else: what a container
// says must not change how the service manager treats the runtime's service.
type notifyProxy struct {
	runtime *Runtime
	id      string
	socket  int
}

// openNotify makes the socket of a container, before its process can use it; nil when
// there is nobody to tell, or the container was created without a place for it.
func (r *Runtime) openNotify(dir *state.Dir) (*notifyProxy, error) {
	if r.NotifySocket == "" || !dir.HasNotify() {
		return nil, nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("notify socket: %w", os.NewSyscallError("socket", err))
	}
	if err := dir.BindNotify(fd); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("notify socket: %w", os.NewSyscallError("bind", err))
	}
	return &notifyProxy{r, dir.ID, fd}, nil
}

func (p *notifyProxy) close() {
	if p != nil {
		unix.Close(p.socket)
	}
}

// fd is the descriptor that becomes readable when the container says something; -1
// without a proxy.
func (p *notifyProxy) fd() int {
	if p == nil {
		return -1
	}
	return p.socket
}

// ready reads one message and reports whether it says that the container is ready.
// Descriptors that come with it are closed by the kernel, which is what their sender
// waits for (sd_notify_barrier(3)).
func (p *notifyProxy) ready() bool {
	buf := make([]byte, 64<<10)
	n, _, err := unix.Recvfrom(p.socket, buf, unix.MSG_DONTWAIT)
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

// wait waits until the container is ready or has ended, and hands its first process
// over to the service manager as the one to watch.
func (p *notifyProxy) wait(pid, pidfd int, interrupt *linux.Interrupt) {
	for {
		fds := []unix.PollFd{{Fd: int32(p.socket), Events: unix.POLLIN}, {Fd: int32(pidfd), Events: unix.POLLIN}}
		if _, err := interrupt.PollUntil(fds, time.Time{}); err != nil {
			p.runtime.warn("container %q: wait until it is ready: %v", p.id, err)
			return
		}
		if fds[0].Revents != 0 && p.ready() {
			// The manager trusts this process only as long as it is there.
			p.tell(fmt.Sprintf("MAINPID=%d\nREADY=1", pid), true)
			return
		}
		if fds[1].Revents != 0 && fds[0].Revents == 0 {
			return
		}
	}
}

// tell sends a message to the service manager. With a barrier it returns when that has
// read it.
func (p *notifyProxy) tell(message string, barrier bool) {
	err := send(p.runtime.NotifySocket, message, -1)
	if err == nil && barrier {
		err = p.barrier()
	}
	if err != nil {
		p.runtime.warn("tell the service manager (%s) that container %q is ready: %v", notifyEnv, p.id, err)
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
	err := send(p.runtime.NotifySocket, "BARRIER=1", pipe[1])
	unix.Close(pipe[1])
	if err != nil {
		return err
	}
	n, err := linux.Poll([]unix.PollFd{{Fd: int32(pipe[0])}}, barrierTimeout)
	if err == nil && n == 0 {
		err = errors.New("it does not read")
	}
	return err
}

// send sends a message, with a descriptor unless that is -1, to the socket of a service
// manager: a path or, with @, a name in the abstract namespace.
func send(address, message string, fd int) error {
	if !strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "@") {
		return fmt.Errorf("%q is neither the path nor the @name of a socket", address)
	}
	conn, err := linux.Dial(address, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(conn)
	if fd < 0 {
		return linux.Send(conn, []byte(message))
	}
	return linux.SendFD(conn, []byte(message), fd)
}
