package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/failpoint"
	"coracle/libcontainer/internal/linux"
)

// destroyDeadline is how long a cgroup may take to become empty.
const destroyDeadline = 10 * time.Second

// anyDir returns a directory of a hierarchy that has all processes of the container.
func (m *Manager) anyDir() string {
	if m.saved.Unified {
		return m.saved.Paths[unifiedKey]
	}
	for _, key := range []string{"pids", "devices", "freezer"} {
		if dir := m.saved.Paths[key]; dir != "" {
			return dir
		}
	}
	return ""
}

// Signal sends a signal to every process in the cgroup. With SIGKILL no process escapes by
// forking meanwhile.
func (m *Manager) Signal(sig unix.Signal) error {
	if m.Disabled() {
		return errDisabled
	}
	if sig == unix.SIGKILL {
		return m.kill(time.Now().Add(failpoint.Patience(destroyDeadline)))
	}
	return m.signalAll(sig)
}

// signalAll signals the processes that are in the cgroup now. It pins each process by a
// descriptor and then checks that the pid still is in the cgroup.
func (m *Manager) signalAll(sig unix.Signal) error {
	pids, err := m.Pids()
	if err != nil {
		return fmt.Errorf("processes of the cgroup: %w", err)
	}
	pinned := make(map[int]int, len(pids))
	defer func() {
		for _, fd := range pinned {
			unix.Close(fd)
		}
	}()
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		switch {
		case err == nil:
			pinned[pid] = fd
		case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL): // EINVAL: 0, of another pid namespace
		case errors.Is(err, unix.EMFILE):
			// There are too many for one read: the next round handles the others.
		default:
			return fmt.Errorf("signal process %d: %w", pid, err)
		}
	}
	if pids, err = m.Pids(); err != nil {
		return fmt.Errorf("processes of the cgroup: %w", err)
	}
	for _, pid := range pids {
		fd, ok := pinned[pid]
		if !ok {
			continue
		}
		if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("signal process %d: %w", pid, err)
		}
	}
	return nil
}

// kill kills all processes of the cgroup and returns when none is left.
func (m *Manager) kill(deadline time.Time) error {
	if m.saved.Unified {
		// The kernel kills them itself, without a race against forks.
		err := linux.Write(filepath.Join(m.saved.Paths[unifiedKey], "cgroup.kill"), "1")
		if err == nil || gone(err) {
			return m.waitEmpty(deadline, func() {})
		}
	}
	return m.waitEmpty(deadline, func() {
		// Processes in a frozen cgroup cannot fork, and they get the signals when it is thawed.
		// Freezing may fail while they fork; the next round tries again.
		_ = m.setFrozen(true)
		_ = m.signalAll(unix.SIGKILL)
		m.ThawAll()
	})
}

// waitEmpty waits until no process is left, and calls round as long as there are some.
func (m *Manager) waitEmpty(deadline time.Time, round func()) error {
	delay := time.Millisecond
	for {
		pids, err := m.Pids()
		if err != nil {
			return fmt.Errorf("processes of the cgroup: %w", err)
		}
		if len(pids) == 0 {
			return nil
		}
		round()
		if time.Now().After(deadline) {
			return fmt.Errorf("%d processes of the cgroup are still there after SIGKILL", len(pids))
		}
		if err := m.Interrupt.Sleep(delay); err != nil {
			return err
		}
		delay = min(2*delay, 50*time.Millisecond)
	}
}

// Destroy kills the processes in the cgroup and removes it with all cgroups below it. It succeeds
// when there is nothing to do.
func (m *Manager) Destroy() error {
	deadline := time.Now().Add(failpoint.Patience(destroyDeadline))
	if m.saved.Systemd != nil && !m.saved.Claimed {
		return nil // a scope is removed with its only process
	}
	dirs := make([]string, 0, len(m.saved.Paths))
	for _, dir := range m.saved.Paths {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	if m.saved.Systemd != nil {
		if err := m.endScope(deadline); err != nil {
			return err
		}
	}
	if !m.saved.Claimed {
		m.abandon(dirs)
		return nil
	}
	// First the usual case: no process, and no cgroups below.
	dirs = slices.DeleteFunc(dirs, func(dir string) bool {
		if m.isForeign(dir) {
			return isEmpty(dir)
		}
		return rmdir(dir) == nil
	})
	if len(dirs) == 0 {
		return nil
	}
	if err := m.kill(deadline); err != nil {
		return err
	}
	delay := time.Millisecond
	for {
		var last error
		dirs = slices.DeleteFunc(dirs, func(dir string) bool {
			err := removeTree(dir, m.isForeign(dir))
			if err != nil {
				last = err
			}
			return err == nil
		})
		if len(dirs) == 0 {
			return nil
		}
		if time.Now().After(deadline) || !errors.Is(last, unix.EBUSY) {
			return fmt.Errorf("remove the cgroup: %w", last)
		}
		// EBUSY: a process is still exiting, or came after the kill.
		if err := m.Interrupt.Sleep(delay); err != nil {
			return err
		}
		delay = min(2*delay, 50*time.Millisecond)
		if err := m.kill(deadline); err != nil {
			return err
		}
	}
}

// abandonAfter is how long an init that started in an unclaimed cgroup may take to die with its
// runtime.
const abandonAfter = time.Second

// abandon removes the directories of a cgroup that was not claimed, if they were made for the
// container and are not in use. Their content may belong to another container.
func (m *Manager) abandon(dirs []string) {
	dirs = slices.DeleteFunc(dirs, func(dir string) bool {
		return m.isForeign(dir) || m.creates && !slices.Contains(m.made, dir)
	})
	for deadline := time.Now().Add(abandonAfter); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		dirs = slices.DeleteFunc(dirs, func(dir string) bool { return rmdir(dir) == nil })
		if len(dirs) == 0 {
			return
		}
	}
}

// isEmpty reports whether a cgroup has neither processes nor cgroups below it.
func isEmpty(dir string) bool {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return gone(err)
	}
	defer unix.Close(fd)
	children, err := childrenOf(fd)
	if err != nil || len(children) > 0 {
		return false
	}
	pids, err := pidsIn(fd, "cgroup.procs")
	return err == nil && len(pids) == 0
}

// removeTree removes a cgroup with those below it, deepest first; with keep, only those below it.
func removeTree(dir string, keep bool) error {
	if !keep && rmdir(dir) == nil {
		return nil
	}
	if err := walk(dir, func(int) error { return nil }, removeBelow); err != nil {
		return err
	}
	if keep {
		return nil
	}
	return rmdir(dir)
}

func rmdir(dir string) error {
	if !strings.HasPrefix(dir, mountpoint+"/") {
		return nil // Create cannot have made it
	}
	err := unix.Rmdir(dir)
	for errors.Is(err, unix.EINTR) {
		err = unix.Rmdir(dir)
	}
	if err == nil || gone(err) {
		return nil
	}
	if errors.Is(err, unix.EROFS) && errors.Is(unix.Access(dir, unix.F_OK), unix.ENOENT) {
		return nil // do not search a read-only hierarchy
	}
	return &os.PathError{Op: "rmdir", Path: dir, Err: err}
}

// gone reports whether an error means that the cgroup no longer exists.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV)
}
