package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/rawfile"
)

// maxProcs bounds the size of cgroup.procs, in bytes: four million processes are the
// most that Linux can have, with up to eight bytes for each.
const maxProcs = 64 << 20

// Pids are the processes in the cgroup and in all cgroups below it. There are none when
// the cgroup is gone.
func (m *Manager) Pids() ([]int, error) {
	dir := m.anyDir()
	if dir == "" {
		return nil, nil
	}
	return pidsBelow(dir)
}

func pidsBelow(dir string) ([]int, error) {
	pids, err := pidsIn(dir)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	children, err := childrenOf(dir)
	if err != nil {
		return nil, err
	}
	for _, child := range children {
		more, err := pidsBelow(child)
		if err != nil {
			return nil, err
		}
		pids = append(pids, more...)
	}
	return pids, nil
}

// pidsIn are the processes in one cgroup. A pid of 0 is one of another pid namespace.
func pidsIn(dir string) ([]int, error) {
	data, err := rawfile.ReadFollow(filepath.Join(dir, "cgroup.procs"), maxProcs)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil // a threaded cgroup: its processes are listed above it
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range strings.Lines(string(data)) {
		//allow:atoi the kernel's own list of pids
		pid, err := strconv.Atoi(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("%s/cgroup.procs has a malformed line %q", dir, line)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// childrenOf are the cgroups directly below one. There are none when it is gone.
func childrenOf(dir string) ([]string, error) {
	// The kernel counts a link for each child: this saves reading all names.
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil || st.Nlink == 2 {
		if err != nil && !gone(err) {
			return nil, &os.PathError{Op: "stat", Path: dir, Err: err}
		}
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !gone(err) {
		return nil, err
	}
	var children []string
	for _, e := range entries {
		if e.IsDir() {
			children = append(children, filepath.Join(dir, e.Name()))
		}
	}
	return children, nil
}
