package linux

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// longest is how many bytes the address of a socket may have (unix(7)).
const longest = len(unix.RawSockaddrUnix{}.Path) - 1

// SocketAddress calls use with an address of the socket at a path or, with @, of the one with a
// name in the abstract namespace. An address that is too short for the path goes through a
// descriptor of its directory, which is open until use returns.
func SocketAddress(path string, use func(unix.Sockaddr) error) error {
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

// ConnectSocket connects a socket. An error of the kernel names the call.
func ConnectSocket(fd int, path string) error {
	return SocketAddress(path, func(a unix.Sockaddr) error {
		for {
			if err := unix.Connect(fd, a); !errors.Is(err, unix.EINTR) {
				return os.NewSyscallError("connect", err)
			}
		}
	})
}
