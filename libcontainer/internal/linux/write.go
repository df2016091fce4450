package linux

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Write writes to an existing file with one write(2), because files of cgroupfs and procfs take
// each write as one value. Errors are of type *os.PathError.
func Write(path, data string) error {
	//allow:path for files of the kernel; who calls it says which
	return WriteAt(unix.AT_FDCWD, path, data)
}

// WriteAt is Write for a path that starts at the directory dir. Its last component must not be a
// symbolic link.
func WriteAt(dir int, path, data string) error {
	failure := func(op string, err error) error { return &os.PathError{Op: op, Path: path, Err: err} }
	fd, err := unix.Openat(dir, path, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return failure("open", err)
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Write(fd, []byte(data))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return failure("write", err)
		case n != len(data):
			return failure("write", io.ErrShortWrite)
		}
		return nil
	}
}
