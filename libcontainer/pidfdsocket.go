package libcontainer

import (
	"fmt"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/failpoint"
	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/linux"
)

// The text that is sent with the descriptor, as runc sends it: whether it is the container's
// first process or an additional one.
const (
	pidfdOfInit = "standard"
	pidfdOfExec = "setns"
)

// pidfdSocket is the socket of a caller that wants a pidfd of the process. It is connected before
// anything is created, so that a wrong path is found early.
type pidfdSocket struct {
	path string
	fd   int
}

// openPidfdSocket connects to the socket; nil without a path.
func openPidfdSocket(path string, interrupt *linux.Interrupt) (*pidfdSocket, error) {
	if path == "" {
		return nil, nil
	}
	fd, err := connectSocket(path, "pidfd socket", interrupt)
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

// connectSocket connects to a stream socket at a path; errors call it what.
func connectSocket(path, what string, interrupt *linux.Interrupt) (int, error) {
	fd, err := linux.DialUntil(path, unix.SOCK_STREAM, failpoint.Patience(agentTimeout), interrupt)
	if err != nil {
		return -1, fault.Facts{Code: fault.SocketFailed, HostPath: path}.Errorf("%s %s: %w", what, path, err)
	}
	return fd, nil
}
