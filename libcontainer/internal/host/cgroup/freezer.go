package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
)

// freezeDeadline bounds how long a cgroup may take to freeze. A process that waits for
// a device cannot be frozen before the device has answered.
const freezeDeadline = 10 * time.Second

// errNoFreezer means that there is nothing to freeze the container with.
var errNoFreezer = errors.New("the host has no freezer cgroup (cgroup v1) and no cgroup v2")

// freezerFile is the file that freezes, with what to write for that and for its
// opposite; empty without a freezer.
func (m *Manager) freezerFile() (file, freeze, thaw string) {
	if dir := m.saved.Paths[unifiedKey]; m.saved.Unified && dir != "" {
		return filepath.Join(dir, "cgroup.freeze"), "1", "0"
	}
	if dir := m.saved.Paths["freezer"]; dir != "" {
		return filepath.Join(dir, "freezer.state"), "FROZEN", "THAWED"
	}
	return "", "", ""
}

// Frozen reports whether the cgroup is paused, or about to be.
func (m *Manager) Frozen() (bool, error) {
	file, _, thaw := m.freezerFile()
	if file == "" {
		return false, nil
	}
	state, err := linux.ReadFollow(file, 1<<10)
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return strings.TrimSpace(string(state)) != thaw, nil
}

// frozenDir is the cgroup or, before that exists, the next one above, if what comes there is
// frozen; "" otherwise. That a cgroup still higher is frozen shows there, too.
func (m *Manager) frozenDir() string {
	file, _, thaw := m.freezerFile()
	isFrozen := func(content string) bool { return strings.TrimSpace(content) != thaw }
	name := filepath.Base(file)
	if m.saved.Unified {
		name = "cgroup.events"
		isFrozen = func(content string) bool { return strings.Contains("\n"+content, "\nfrozen 1\n") }
	}
	for dir := filepath.Dir(file); strings.HasPrefix(dir, mountpoint+"/"); dir = filepath.Dir(dir) {
		content, err := linux.ReadFollow(filepath.Join(dir, name), 1<<12)
		switch {
		case err == nil && isFrozen(string(content)):
			return dir
		case err == nil:
			return ""
		}
	}
	return ""
}

// setFrozen freezes or thaws as far as that works at once.
func (m *Manager) setFrozen(frozen bool) error {
	file, freeze, thaw := m.freezerFile()
	if m.Disabled() {
		return errDisabled
	}
	if file == "" {
		return errNoFreezer
	}
	value := thaw
	if frozen {
		value = freeze
	}
	return linux.Write(file, value)
}

// Freeze stops all processes of the cgroup and returns when the last one has stopped.
// When that fails, or is interrupted, they go on.
func (m *Manager) Freeze() error {
	if m.Disabled() {
		return errDisabled
	}
	freeze := m.freezeV1
	if m.saved.Unified {
		freeze = m.freezeV2
	}
	err := freeze(time.Now().Add(freezeDeadline))
	if errors.Is(err, linux.ErrInterrupted) {
		err = fmt.Errorf("%w; the processes go on", err)
	}
	if err != nil {
		m.Thaw()
	}
	return err
}

func errNotFrozen() error {
	return fmt.Errorf("some processes did not freeze within %d s; the container was thawed", int(freezeDeadline.Seconds()))
}

// freezeV1 tries again and again: a cgroup stays in the state FREEZING when processes
// came into it meanwhile (Linux, cgroup-v1/freezer-subsystem.rst). Letting it go in
// between lets forks come to their end.
func (m *Manager) freezeV1(deadline time.Time) error {
	for round := 1; ; round++ {
		if err := m.setFrozen(true); err != nil {
			return err
		}
		file, frozen, _ := m.freezerFile()
		state, err := linux.ReadFollow(file, 1<<10)
		if err != nil {
			return err
		}
		switch {
		case strings.TrimSpace(string(state)) == frozen:
			return nil
		case time.Now().After(deadline):
			return errNotFrozen()
		case round%50 == 0:
			m.Thaw()
			if err := m.Interrupt.Sleep(10 * time.Millisecond); err != nil {
				return err
			}
		case round%10 == 0:
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// freezeV2 waits until the kernel tells that the last process has stopped
// (Linux, cgroup-v2.rst, cgroup.events).
func (m *Manager) freezeV2(deadline time.Time) error {
	events := filepath.Join(m.saved.Paths[unifiedKey], "cgroup.events")
	fd, err := unix.Open(events, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: events, Err: err}
	}
	defer unix.Close(fd)
	if err := m.setFrozen(true); err != nil {
		return err
	}
	buf := make([]byte, 256)
	for {
		n, err := unix.Pread(fd, buf, 0)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return &os.PathError{Op: "read", Path: events, Err: err}
		}
		if n > 0 && strings.Contains("\n"+string(buf[:n]), "\nfrozen 1\n") {
			return nil
		}
		if time.Until(deadline) <= 0 {
			return errNotFrozen()
		}
		// The kernel wakes up those who poll when the file has changed since it was read.
		if _, err := m.Interrupt.PollUntil([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, deadline); err != nil {
			return err
		}
	}
}

// Thaw lets frozen processes go on, as far as there are any.
func (m *Manager) Thaw() { _ = m.setFrozen(false) }

// ThawAll lets all frozen processes go on that have been sent SIGKILL, which does not end
// them before that, in the cgroup and below it.
//
// Attacker: a process of the container, which has frozen itself or others in a cgroup of its
// own. Another one may do it again: the caller has to come again until all have ended.
func (m *Manager) ThawAll() {
	m.Thaw()
	dir := m.saved.Paths["freezer"]
	if m.KilledWhenFrozen() || dir == "" {
		return
	}
	_ = walk(dir, func(fd int) error {
		file, err := unix.Openat(fd, "freezer.state", unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == nil {
			_, _ = unix.Write(file, []byte("THAWED"))
			unix.Close(file)
		}
		return nil
	}, nil)
}

// Unfreeze is Thaw with an error when the processes are still frozen.
func (m *Manager) Unfreeze() error {
	if err := m.setFrozen(false); err != nil {
		return err
	}
	// A cgroup above may be frozen, too.
	frozen, err := m.heldFrozen()
	if err == nil && frozen {
		return errors.New("a cgroup above that of the container is frozen, too")
	}
	return err
}

// heldFrozen reports whether processes are frozen though their cgroup is not.
func (m *Manager) heldFrozen() (bool, error) {
	if !m.saved.Unified {
		return m.Frozen()
	}
	// The end of a freeze takes a moment, that of a cgroup above is not to be expected.
	for deadline := time.Now().Add(time.Second); ; {
		events, err := linux.ReadFollow(filepath.Join(m.saved.Paths[unifiedKey], "cgroup.events"), 1<<12)
		if err != nil || !strings.Contains("\n"+string(events), "\nfrozen 1\n") {
			return false, err
		}
		if time.Now().After(deadline) {
			return true, nil
		}
		if err := m.Interrupt.Sleep(time.Millisecond); err != nil {
			return false, err
		}
	}
}

// KilledWhenFrozen reports whether a frozen process dies from SIGKILL at once, and not when
// it is thawed. That is so with cgroup v2.
func (m *Manager) KilledWhenFrozen() bool { return m.saved.Unified }
