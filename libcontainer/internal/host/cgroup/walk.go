package cgroup

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// walk visits a cgroup and all cgroups below it, parents first. visit gets a descriptor. After
// its children, leave is called with the cgroup's parent and name; leave may be nil. When the
// cgroup is gone, nothing is visited.
//
// Attacker: a container that may make cgroups and nests them so deep that a path would be too
// long for the kernel, or that there are too few descriptors for all levels. So only names are
// looked up, and the way back is "..", which cannot change because cgroups are never moved.
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
	var below [][]string // at each level, the names still to visit
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

// childrenOf returns the names of the child cgroups.
func childrenOf(fd int) ([]string, error) {
	// The link count includes the children, so the names need not be read if there are none.
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

// removeBelow removes a child cgroup by its name.
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
