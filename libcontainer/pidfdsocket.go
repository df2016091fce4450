package libcontainer

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
)

// What comes with the descriptor says whether it is the first process of a container or
// a further one, in the words of runc.
const (
	pidfdOfInit = "standard"
	pidfdOfExec = "setns"
)

// pidfdSocket is the socket of a caller who wants a pidfd of the process. It is connected
// before anything is made, so that a wrong path is found in time.
type pidfdSocket struct {
	path string
	fd   int
}

// openPidfdSocket connects; nil without a path.
func openPidfdSocket(path string) (*pidfdSocket, error) {
	if path == "" {
		return nil, nil
	}
	fd, err := connectSocket(path, "pidfd socket")
	if err != nil {
		return nil, err
	}
	return &pidfdSocket{path, fd}, nil
}

// send hands over the descriptor.
func (s *pidfdSocket) send(pidfd int, kind string) error {
	if s == nil {
		return nil
	}
	if err := unix.Sendmsg(s.fd, []byte(kind), unix.UnixRights(pidfd), nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("pidfd socket %s: %w", s.path, os.NewSyscallError("sendmsg", err))
	}
	return nil
}

func (s *pidfdSocket) close() {
	if s != nil {
		unix.Close(s.fd)
	}
}

// connectSocket connects to a stream socket at a path; what names it in errors.
func connectSocket(path, what string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", what, os.NewSyscallError("socket", err))
	}
	if err := linux.ConnectSocket(fd, path); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("%s %s: %w", what, path, err)
	}
	return fd, nil
}
