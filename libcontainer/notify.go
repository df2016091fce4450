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

// The path of the readiness socket in the container.
const (
	notifyDir = "/run/notify"
	notifyEnv = "NOTIFY_SOCKET"
)

// notifyMount adds a mount for the readiness socket, unless the configuration names a socket
// itself.
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
// socket at which the process reports, by the datagrams of sd_notify(3), that it is ready. It is
// nil if the container has no mount for the socket. The caller has to close it.
//
// Messages of the process are not trusted. Forward to a service manager only those that are meant
// to reach it.
func (c *Container) StartNotify(ctx context.Context) (_ *os.File, err error) {
	defer explain(&err, c.id, "start")
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
		socket.Close() // may be nil
		return nil, err
	}
	return socket, nil
}

// listenNotify makes the socket of a container before its process can use it; nil when the
// container was created without the mount.
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
