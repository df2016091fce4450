package state

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// hookName exists while a command runs a hook that does not end with the container's process.
const hookName = "hook"

// SaveHook records the process of a hook, so that a command that deletes the container can kill
// it.
func (d *Dir) SaveHook(pid int) error {
	start, err := StartTime(pid)
	if errors.Is(err, ErrGone) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("hook process %d: %w", pid, err)
	}
	return d.write(hookName, fmt.Appendf(nil, "%d %d\n", pid, start))
}

// RemoveHook removes the record of a hook.
func (d *Dir) RemoveHook() { _ = unix.Unlinkat(d.FD(), hookName, 0) }

// KillHook kills the recorded hook, if there is one, with the process group that it leads.
func (d *Dir) KillHook() {
	data, err := d.read(hookName)
	if err != nil {
		return
	}
	var pid int
	var start uint64
	if _, err := fmt.Sscanf(string(data), "%d %d\n", &pid, &start); err != nil || pid <= 1 {
		return
	}
	fd, err := openProcess(pid, start)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	_ = unix.Kill(-pid, unix.SIGKILL)
	_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
}
