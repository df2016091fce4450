package linux

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// longest is the maximum length of a socket address, in bytes (unix(7)).
const longest = len(unix.RawSockaddrUnix{}.Path) - 1

// Dial connects to the Unix socket at a path or, if path begins with "@", to a socket in the
// abstract namespace. kind is its type (socket(2)). With a timeout other than 0, connecting and
// sending fail with EAGAIN when the other side does not respond in that time. Errors of the
// kernel name the system call.
func Dial(path string, kind int, timeout time.Duration) (int, error) {
	return DialUntil(path, kind, timeout, nil)
}

// dialInterval is how often connecting to a busy socket is retried, if the caller can cancel.
// poll(2) does not report when the socket accepts connections again.
const dialInterval = 5 * time.Millisecond

// DialUntil is [Dial] that also ends by the interrupt.
func DialUntil(path string, kind int, timeout time.Duration, i *Interrupt) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if timeout != 0 {
		limit := unix.NsecToTimeval(timeout.Nanoseconds())
		err = os.NewSyscallError("setsockopt", unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit))
	}
	if err == nil {
		err = connectUntil(fd, path, timeout, i)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// connectUntil connects a socket. With an interrupt it does not leave the waiting to connect(2).
func connectUntil(fd int, path string, timeout time.Duration, i *Interrupt) error {
	if i == nil {
		return connect(fd, path)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	for deadline := time.Now().Add(timeout); ; {
		err := connect(fd, path)
		switch {
		case err == nil:
			return os.NewSyscallError("fcntl", unix.SetNonblock(fd, false))
		case !errors.Is(err, unix.EAGAIN), timeout != 0 && time.Now().After(deadline):
			return err
		}
		if err := i.Sleep(dialInterval); err != nil {
			return err
		}
	}
}

// socketAddress calls use with the address of a socket, see [Dial]. For a path that is too long
// for an address it opens the directory of the socket and goes through the descriptor, which is
// open until use returns.
func socketAddress(path string, use func(unix.Sockaddr) error) error {
	if len(path) <= longest {
		return use(&unix.SockaddrUnix{Name: path})
	}
	if strings.HasPrefix(path, "@") {
		return tooLong("the name", path[1:], longest-1)
	}
	dir, name := filepath.Split(path)
	//allow:path the caller's own path, as connect(2) would take it
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	short := fmt.Sprintf("/proc/self/fd/%d/", fd)
	if most := longest - len(short); len(name) > most {
		return tooLong("the last component of the path", name, most)
	}
	return use(&unix.SockaddrUnix{Name: short + name})
}

func tooLong(what, name string, most int) error {
	return fmt.Errorf("%s has %d bytes, and %d is the most that the address of a socket has room for", what, len(name), most)
}

func connect(fd int, path string) error {
	return socketAddress(path, func(a unix.Sockaddr) error {
		for {
			if err := unix.Connect(fd, a); !errors.Is(err, unix.EINTR) {
				return os.NewSyscallError("connect", err)
			}
		}
	})
}
