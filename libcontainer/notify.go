package libcontainer

import (
	"context"
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/state"
)

// Where a container finds the socket at which it says that it is ready.
const (
	notifyDir = "/run/notify"
	notifyEnv = "NOTIFY_SOCKET"
)

// notifyMount gives a container the place for the socket. A container whose configuration names a socket looks after
// that itself.
func (n *creator) notifyMount() error {
	s := n.bundle.Spec
	if !n.options.Notify || s.Process == nil {
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

// StartNotify is [Container.Start] for a container that was created with Notify: it returns the
// socket at which the process says that it is ready, with datagrams as sd_notify(3) describes
// them. It is nil for a container that has no place for it. The caller has to close it.
//
// What the process says is not to be trusted, and must be passed on to a service manager only as
// far as that is meant.
func (c *Container) StartNotify(ctx context.Context) (*os.File, error) {
	interrupt, err := interruptOf(ctx)
	if err != nil {
		return nil, err
	}
	defer interrupt.Close()
	n, err := c.created(interrupt)
	if err != nil {
		return nil, err
	}
	defer n.close()
	socket, err := listenNotify(n.dir)
	if err != nil {
		return nil, err
	}
	if err := c.start(n); err != nil {
		socket.Close() // nil is possible
		return nil, err
	}
	return socket, nil
}

// listenNotify makes the socket of a container, before its process can use it; nil when the
// container was created without a place for it.
func listenNotify(dir *state.Dir) (*os.File, error) {
	if !dir.HasNotify() {
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
	return os.NewFile(uintptr(fd), "notify"), nil
}
