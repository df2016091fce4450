// Package linux reads small files with plain system calls, and reaches Unix sockets at
// paths of any length.
//
// Package os registers every file that it opens with the poller of the Go runtime. Setting up the
// poller takes longer than reading the files that a short command needs.
package linux

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrTooLarge means that a file is larger than the limit.
var ErrTooLarge = errors.New("file is too large")

// ErrNotRegular means that a file is not a regular file.
var ErrNotRegular = errors.New("not a regular file")

// Read reads a whole file of at most limit bytes. A relative path starts at the directory dir,
// which may be unix.AT_FDCWD. The last component must not be a symbolic link. Errors are of type
// *os.PathError.
func Read(dir int, path string, limit int) ([]byte, error) {
	return read(dir, path, unix.O_NOFOLLOW, limit)
}

// ReadFollow is Read for a path whose last component may be a symbolic link.
func ReadFollow(path string, limit int) ([]byte, error) {
	//allow:path for files of the kernel; who calls it says which
	return read(unix.AT_FDCWD, path, 0, limit)
}

func read(dir int, path string, flags, limit int) ([]byte, error) {
	failure := func(op string, err error) error { return &os.PathError{Op: op, Path: path, Err: err} }
	// A FIFO must not block, and a terminal must not become the controlling terminal.
	fd, err := unix.Openat(dir, path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY|flags, 0)
	if err != nil {
		return nil, failure("open", err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, failure("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, failure("read", ErrNotRegular)
	}
	// Files of procfs and cgroupfs have a size of 0. Most files are small, and go through a buffer
	// that takes no memory of the heap.
	var small [1024]byte
	var data []byte
	if size := int(min(st.Size, int64(limit))) + 1; size > len(small) {
		data = make([]byte, 0, size)
	} else {
		n, err := fill(fd, small[:])
		if err != nil {
			return nil, failure("read", err)
		}
		data = append(data, small[:n]...)
		if n < len(small) && n <= limit {
			return data, nil
		}
	}
	for {
		if len(data) > limit {
			return nil, failure("read", fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit))
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := fill(fd, data[len(data):cap(data)])
		if err != nil {
			return nil, failure("read", err)
		}
		if data = data[:len(data)+n]; len(data) < cap(data) && len(data) <= limit {
			return data, nil
		}
	}
}

// fill reads until the file ends or the buffer is full.
func fill(fd int, buf []byte) (n int, err error) {
	for n < len(buf) {
		k, err := unix.Read(fd, buf[n:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return n, err
		case k == 0:
			return n, nil
		}
		n += k
	}
	return n, nil
}

// ReadStream reads a file that may be a pipe, or anything else that somebody writes at the same
// time, up to a limit in bytes. It waits for what comes, until the interrupt ends that.
func ReadStream(i *Interrupt, path string, limit int) ([]byte, error) {
	failure := func(op string, err error) error { return &os.PathError{Op: op, Path: path, Err: err} }
	// Opening a FIFO would wait for somebody who writes. Here poll does that.
	//allow:path who calls it says which
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, failure("open", err)
	}
	defer unix.Close(fd)
	var data []byte
	buf := make([]byte, 64<<10)
	for len(data) < limit {
		if _, err := i.PollUntil([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, time.Time{}); err != nil {
			return nil, failure("read", err)
		}
		n, err := unix.Read(fd, buf[:min(len(buf), limit-len(data))])
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
			continue
		case err != nil:
			return nil, failure("read", err)
		case n == 0:
			return data, nil
		}
		data = append(data, buf[:n]...)
	}
	return data, nil
}
