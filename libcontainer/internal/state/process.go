package state

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
)

// ErrGone means that a process has ended, or that its pid belongs to another one
// by now.
var ErrGone = errors.New("process has gone")

// StartTime is when a process was started, in clock ticks since boot. The error
// wraps [ErrGone] for a process that has ended, also when nobody has waited for it.
func StartTime(pid int) (uint64, error) {
	data, err := linux.PID(pid).Read("stat")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return 0, ErrGone
	}
	if err != nil {
		return 0, err
	}
	return parseStat(string(data))
}

// InnerPid is the pid of a process in its own pid namespace.
func InnerPid(pid int) (int, error) {
	status, err := linux.PID(pid).Status()
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return 0, ErrGone
	}
	if err != nil {
		return 0, err
	}
	return status.Number("NSpid", -1)
}

// parseStat finds when a process was started. The error is [ErrGone] for one that has ended.
func parseStat(text string) (uint64, error) {
	stat, err := linux.ParseStat(text)
	if err != nil {
		return 0, err
	}
	if stat.Dead() {
		return 0, ErrGone
	}
	start, err := stat.Number(22)
	if err != nil {
		return 0, fmt.Errorf("malformed stat file %q", text)
	}
	return start, nil
}

// exiting reports whether a process is about to end: the kernel has marked it so, or field 31,
// which shows what is pending for the first thread, has SIGKILL.
func exiting(text string) bool {
	const kill = 1 << (unix.SIGKILL - 1)
	stat, err := linux.ParseStat(text)
	if err != nil {
		return false
	}
	pending, _ := stat.Number(31)
	return stat.Exiting() || pending&kill != 0
}

// OpenInit opens the init process of the record by a pidfd. The error wraps [ErrGone]
// when the process has ended.
func (r *Record) OpenInit() (int, error) {
	if r.Pid <= 0 {
		return -1, ErrGone
	}
	fd, err := openProcess(r.Pid, r.StartTime)
	if err != nil && !errors.Is(err, ErrGone) {
		return -1, fmt.Errorf("open the init process %d: %w", r.Pid, err)
	}
	return fd, err
}

// openProcess opens a process by a pidfd. The pid is only trusted after the descriptor
// pins it: then the start time is compared.
func openProcess(pid int, startTime uint64) (int, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	// Older kernels say EINVAL as long as others are in the session or group of a process
	// that has gone, because its number is still in use for that.
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return -1, ErrGone
	}
	if err != nil {
		return -1, err
	}
	start, err := StartTime(pid)
	if err == nil && start != startTime {
		err = ErrGone
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Ending reports whether the init process of the record has ended or is about to. What is
// done to a container in that moment can fail in many ways, all of which mean this.
func (r *Record) Ending() bool {
	alive, err := r.Alive()
	if err != nil || !alive {
		return err == nil
	}
	data, err := linux.PID(r.Pid).Read("stat")
	return err != nil || exiting(string(data))
}

// Alive reports whether the init process of the record still runs.
func (r *Record) Alive() (bool, error) {
	if r.Pid <= 0 {
		return false, nil
	}
	start, err := StartTime(r.Pid)
	if errors.Is(err, ErrGone) {
		return false, nil
	}
	return err == nil && start == r.StartTime, err
}
