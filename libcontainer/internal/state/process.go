package state

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
)

// ErrGone means that a process has ended, or that its pid now belongs to another process.
var ErrGone = errors.New("process has gone")

// StartTime returns when a process was started, in clock ticks since boot. It works for a process
// that has ended until it is reaped; after that the error wraps [ErrGone].
func StartTime(pid int) (uint64, error) {
	stat, err := linux.PID(pid).Stat()
	if absent(err) {
		return 0, ErrGone
	}
	if err != nil {
		return 0, err
	}
	return startTime(stat)
}

// startTime is when the process was started.
func startTime(stat linux.Stat) (uint64, error) {
	start, err := stat.Number(22)
	if err != nil {
		return 0, fmt.Errorf("malformed stat file: start time: %w", err)
	}
	return start, nil
}

// absent reports whether an error of /proc means that there is no such process.
func absent(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) }

// InnerPid returns the pid of a process in its own pid namespace.
func InnerPid(pid int) (int, error) {
	status, err := linux.PID(pid).Status()
	if absent(err) {
		return 0, ErrGone
	}
	if err != nil {
		return 0, err
	}
	return status.Number("NSpid", -1)
}

// exiting reports whether a thread has ended or is about to: the kernel has marked it, or SIGKILL
// is pending for it, as it is for each thread of a process that ends.
func exiting(stat linux.Stat) bool {
	const pendingSignals, kill = 31, 1 << (unix.SIGKILL - 1)
	pending, _ := stat.Number(pendingSignals)
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

// openProcess opens a process by a pidfd. The start time is compared after the descriptor has
// pinned the pid.
func openProcess(pid int, start uint64) (int, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	// Older kernels return EINVAL for a process that has ended while its number is still in use
	// as a session or process group. The number may also belong to a thread now; then they return
	// EINVAL, and newer kernels ENOENT.
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return -1, ErrGone
	}
	if err != nil {
		return -1, err
	}
	now, err := StartTime(pid)
	if err == nil && now != start {
		err = ErrGone
	}
	if err == nil {
		err = ended(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// ended is [ErrGone] when a process has ended with all its threads.
//
// Attacker: a process whose main thread ends while others continue. In /proc/PID/stat it looks
// like a zombie for the rest of its life, so that it would be neither killed nor noticed.
func ended(pidfd int) error {
	n, err := linux.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0)
	if err == nil && n > 0 {
		return ErrGone
	}
	return err
}

// Ending reports whether the init process of the record has ended or is about to. Operations on
// the container can then fail with any error.
func (r *Record) Ending() bool {
	alive, err := r.Alive()
	if err != nil || !alive {
		return err == nil
	}
	threads, err := linux.PID(r.Pid).Threads()
	if err != nil {
		return absent(err)
	}
	for _, t := range threads {
		if stat, err := t.Stat(); err == nil && !exiting(stat) {
			return false
		}
	}
	return true
}

// Alive reports whether the init process of the record still runs.
func (r *Record) Alive() (bool, error) {
	if r.Pid <= 0 {
		return false, nil
	}
	stat, err := linux.PID(r.Pid).Stat()
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if start, err := startTime(stat); err != nil || start != r.StartTime {
		return false, err
	}
	if !stat.Dead() {
		return true, nil
	}
	// The first thread has ended. That says nothing of the others.
	fd, err := openProcess(r.Pid, r.StartTime)
	if errors.Is(err, ErrGone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	unix.Close(fd)
	return true, nil
}

// OpenLiving opens what the namespaces of the init process can be joined by: the process or,
// when its first thread has ended, another thread of it. The error wraps [ErrGone] when the
// process has ended. p is the process in /proc, by that thread.
func (r *Record) OpenLiving() (fd int, p linux.Process, err error) {
	// Threads come and go.
	for tries := 0; tries < 100; tries++ {
		p = r.Process()
		tid, ok := p.Thread()
		if !ok {
			fd, err = r.OpenInit()
			return fd, p, err
		}
		if fd, err = r.openThread(tid, p); err == nil || !errors.Is(err, ErrGone) {
			return fd, p, err
		}
		if alive, err := r.Alive(); err != nil || !alive {
			return -1, p, ErrGone
		}
	}
	return -1, p, err
}

// openThread opens a thread of the init process, whose name in /proc is p.
func (r *Record) openThread(tid int, p linux.Process) (int, error) {
	fd, err := unix.PidfdOpen(tid, unix.PIDFD_THREAD)
	if errors.Is(err, unix.ESRCH) {
		return -1, ErrGone
	}
	if errors.Is(err, unix.EINVAL) {
		return -1, fmt.Errorf("the first thread of process %d has ended, and others can be joined from Linux 6.9 on only", r.Pid)
	}
	if err != nil {
		return -1, fmt.Errorf("open thread %d of the init process: %w", tid, err)
	}
	// The number could now belong to another process's thread.
	if stat, err := p.Stat(); err != nil || stat.Exiting() {
		unix.Close(fd)
		return -1, ErrGone
	}
	return fd, nil
}

// Process returns the init process in /proc, by a thread that has not ended.
func (r *Record) Process() linux.Process { return linux.PID(r.Pid).Living() }
