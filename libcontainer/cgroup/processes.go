package cgroup

import (
	"errors"
	"fmt"
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

func pidsBelow(dir string) (pids []int, err error) {
	err = walk(dir, func(fd int) error {
		some, err := pidsIn(fd)
		pids = append(pids, some...)
		return err
	}, nil)
	return pids, err
}

// pidsIn are the processes in one cgroup. A pid of 0 is one of another pid namespace.
func pidsIn(fd int) ([]int, error) {
	data, err := rawfile.Read(fd, "cgroup.procs", maxProcs)
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
			return nil, fmt.Errorf("cgroup.procs has a malformed line %q", line)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
