package state

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// notifyName is the directory with the readiness socket of a container. The container sees this
// directory, read-only, and nothing else of the state.
const notifyName = "notify"

// NotifySocket is the name of the socket in that directory.
const NotifySocket = "notify.sock"

// MakeNotify makes the directory and returns its path.
func (d *Dir) MakeNotify() (string, error) {
	path := filepath.Join(d.Path, notifyName)
	// The container's user needs access to the socket, whatever the umask.
	err := unix.Mkdirat(d.FD(), notifyName, 0o755)
	if err == nil {
		err = unix.Fchmodat(d.FD(), notifyName, 0o755, 0)
	}
	if err != nil {
		return "", fmt.Errorf("state of container %q: make %s: %w", d.ID, path, err)
	}
	return path, nil
}

// HasNotify reports whether the directory exists.
func (d *Dir) HasNotify() bool { return d.has(notifyName) }

// BindNotify binds a socket in the directory.
func (d *Dir) BindNotify(socket int) error {
	name := filepath.Join(notifyName, NotifySocket)
	_ = unix.Unlinkat(d.FD(), name, 0)
	// Through the descriptor, because the path may be too long for a socket address.
	if err := unix.Bind(socket, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", d.FD(), name)}); err != nil {
		return err
	}
	return unix.Fchmodat(d.FD(), name, 0o777, 0)
}

func (d *Dir) removeNotify() error {
	for _, n := range []struct {
		name  string
		flags int
	}{{filepath.Join(notifyName, NotifySocket), 0}, {notifyName, unix.AT_REMOVEDIR}} {
		if err := unix.Unlinkat(d.FD(), n.name, n.flags); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("state of container %q: remove %s: %w", d.ID, filepath.Join(d.Path, n.name), err)
		}
	}
	return nil
}
