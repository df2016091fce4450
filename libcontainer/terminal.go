package libcontainer

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
)

// terminal is the recipient of a terminal's master: the caller of this package, or a socket at a
// path.
type terminal struct {
	path string
	take func(master *os.File) error // nil for the socket
	// socket receives the master on its way to the caller.
	socket linux.FD
}

// open returns the socket through which the init sends the master.
func (t *terminal) open(h *hostFiles, interrupt *linux.Interrupt) (int, error) {
	if t.take == nil {
		fd, err := connectSocket(t.path, "console socket", interrupt)
		if err != nil {
			return -1, err
		}
		return h.keep(fd), nil
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("console socket: %w", os.NewSyscallError("socketpair", err))
	}
	t.socket = linux.NewFD(pair[0])
	return h.keep(pair[1]), nil
}

// handOver gives the terminal to the caller, if there is a function for it. The init has sent it
// before the container is created, or the process executed.
func (t *terminal) handOver() error {
	if !t.socket.Exists() {
		return nil
	}
	_, fd, err := linux.ReceiveFD(t.socket.Int(), make([]byte, 64), unix.MSG_DONTWAIT)
	if err == nil && !fd.Exists() {
		err = errors.New("no descriptor came")
	}
	if err != nil {
		return fmt.Errorf("receive the terminal: %w", err)
	}
	return t.take(os.NewFile(uintptr(fd.Int()), "terminal"))
}

func (t *terminal) close() { t.socket.Close() }
