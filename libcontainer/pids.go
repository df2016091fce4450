package libcontainer

import (
	"fmt"

	"coracle/libcontainer/internal/host/cgroup"
)

// Pids returns the pids of all processes in the container's cgroup, in the runtime's pid
// namespace. If the container is not in its cgroup, it returns only the first process. The error
// wraps [ErrNotRunning] when there are none.
func (c *Container) Pids() (_ []int, err error) {
	defer explain(&err, c.id, "ps")
	record, err := c.reload()
	if err != nil {
		return nil, err
	}
	group := cgroup.Load(record.Cgroup)
	if !group.Disabled() {
		pids, err := group.Pids()
		if err != nil {
			return nil, fmt.Errorf("processes of container %q: %w", c.id, c.orNotRunning(err))
		}
		if len(pids) > 0 {
			return pids, nil
		}
	}
	// Without a cgroup, or when the container has left it, other processes of the container
	// cannot be found.
	if alive, err := record.Alive(); err != nil || !alive {
		return nil, c.notRunning(err)
	}
	return []int{record.Pid}, nil
}
