package cgroup

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
)

// maxProcs is the size limit of cgroup.procs, in bytes: Linux can have at most four million
// processes, with up to eight bytes for each.
const maxProcs = 64 << 20

// Pids returns the processes in the cgroup and in all cgroups below it. There are none when the
// cgroup is gone.
func (m *Manager) Pids() ([]int, error) {
	dir := m.anyDir()
	if dir == "" {
		return nil, nil
	}
	return pidsBelow(dir)
}

func pidsBelow(dir string) (pids []int, err error) {
	first, threaded := true, false
	err = walk(dir, func(fd int) error {
		some, err := pidsIn(fd, "cgroup.procs")
		if errors.Is(err, unix.EOPNOTSUPP) {
			// A threaded cgroup: its processes are listed in a parent, which is visited here
			// unless this is the top.
			some, err = nil, nil
			threaded = threaded || first
			if threaded {
				some, err = pidsIn(fd, "cgroup.threads")
			}
		}
		first = false
		pids = append(pids, some...)
		return err
	}, nil)
	if threaded {
		pids = processesOf(pids)
	}
	return pids, err
}

// pidsIn returns the numbers in a file of one cgroup. 0 stands for a process in another pid
// namespace.
func pidsIn(fd int, file string) ([]int, error) {
	data, err := linux.Read(fd, file, maxProcs)
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range strings.Lines(string(data)) {
		//allow:atoi the kernel's own list of pids
		pid, err := strconv.Atoi(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("%s has a malformed line %q", file, line)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// processesOf returns the processes of threads, except those that have ended.
func processesOf(threads []int) (pids []int) {
	for _, tid := range threads {
		status, err := linux.PID(tid).Status()
		if err != nil {
			continue
		}
		if pid, err := status.Number("Tgid", 0); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}
