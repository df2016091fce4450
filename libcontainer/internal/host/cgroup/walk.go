package cgroup

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// walk visits a cgroup and all below it, each by a descriptor and before those below it.
// After those, each is left by its name in the one above; leave may be nil. There is nothing
// to visit when the cgroup is gone.
//
// Attacker: a container that may make cgroups, and hides processes so deep that a path to them
// would be longer than the kernel takes, or that there are no descriptors for all the levels. So
// only names are looked up, and the way back is "..", which cannot become another one: cgroups
// are not moved.
func walk(dir string, visit func(fd int) error, leave func(above int, name string) error) error {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY
	fd, err := unix.Open(dir, flags|unix.O_CLOEXEC, 0)
	if gone(err) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer func() { unix.Close(fd) }()
	var names []string   // on the way down
	var below [][]string // at each level, what is still to be visited
	enter := func() error {
		err := visit(fd)
		var children []string
		if err == nil {
			children, err = childrenOf(fd)
		}
		if err != nil && !gone(err) {
			return fmt.Errorf("%s, %d levels below: %w", dir, len(names), err)
		}
		below = append(below, children)
		return nil
	}
	if err := enter(); err != nil {
		return err
	}
	for {
		next, list := -1, &below[len(below)-1]
		if n := len(*list); n > 0 {
			name := (*list)[n-1]
			*list = (*list)[:n-1]
			if next, err = unix.Openat(fd, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); gone(err) {
				continue
			}
			names = append(names, name)
		} else if len(names) > 0 {
			next, err = unix.Openat(fd, "..", flags|unix.O_CLOEXEC, 0)
		} else {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s, %d levels below: %w", dir, len(names), os.NewSyscallError("open", err))
		}
		unix.Close(fd)
		fd = next
		if len(names) == len(below) {
			if err := enter(); err != nil {
				return err
			}
			continue
		}
		name := names[len(names)-1]
		names, below = names[:len(names)-1], below[:len(below)-1]
		if leave == nil {
			continue
		}
		if err := leave(fd, name); err != nil {
			return fmt.Errorf("%s, %d levels below: %w", dir, len(names), err)
		}
	}
}

// childrenOf are the names of the cgroups directly below one.
func childrenOf(fd int) ([]string, error) {
	// The kernel counts a link for each child: this saves reading all names.
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Nlink == 2 {
		return nil, os.NewSyscallError("fstat", err)
	}
	again, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(again), "cgroup")
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	var children []string
	for _, e := range entries {
		if e.IsDir() {
			children = append(children, e.Name())
		}
	}
	return children, nil
}

// removeBelow removes a cgroup by its name in the one above.
func removeBelow(above int, name string) error {
	for {
		switch err := unix.Unlinkat(above, name, unix.AT_REMOVEDIR); {
		case err == nil, gone(err):
			return nil
		case !errors.Is(err, unix.EINTR):
			return os.NewSyscallError("rmdir", err)
		}
	}
}
