package libcontainer

import (
	"fmt"

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
	if err := linux.SendFD(s.fd, []byte(kind), pidfd); err != nil {
		return fmt.Errorf("pidfd socket %s: %w", s.path, err)
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
	fd, err := linux.Dial(path, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, fmt.Errorf("%s %s: %w", what, path, err)
	}
	return fd, nil
}
