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

// freezeDeadline is how long a cgroup may take to freeze. A process that waits for a device
// cannot be frozen before the device has answered.
const freezeDeadline = 10 * time.Second

// errNoFreezer means that the host has no way to freeze the container.
var errNoFreezer = errors.New("the host has no freezer cgroup (cgroup v1) and no cgroup v2")

// freezerFile returns the file that freezes, and what to write to freeze and to thaw; the file is
// empty without a freezer.
func (m *Manager) freezerFile() (file, freeze, thaw string) {
	if dir := m.saved.Paths[unifiedKey]; m.saved.Unified && dir != "" {
		return filepath.Join(dir, "cgroup.freeze"), "1", "0"
	}
	if dir := m.saved.Paths["freezer"]; dir != "" {
		return filepath.Join(dir, "freezer.state"), "FROZEN", "THAWED"
	}
	return "", "", ""
}

// Frozen reports whether the cgroup is frozen or being frozen.
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

// frozenDir returns the cgroup or, before that exists, its nearest existing parent, if a process
// in it would be frozen; otherwise "". It also shows that a cgroup higher up is frozen.
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

// setFrozen starts freezing or thawing, and does not wait.
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

// Freeze freezes all processes of the cgroup and returns when the last one is frozen. When that
// fails, or is interrupted, it thaws them.
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

// freezeV1 tries repeatedly: a cgroup stays in the state FREEZING when processes entered it
// meanwhile (Linux, cgroup-v1/freezer-subsystem.rst). Thawing it in between lets pending forks
// complete.
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

// freezeV2 waits until the kernel reports that the last process is frozen (Linux, cgroup-v2.rst,
// cgroup.events).
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
		// poll(2) returns when the file has changed since it was last read.
		if _, err := m.Interrupt.PollUntil([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, deadline); err != nil {
			return err
		}
	}
}

// Thaw thaws frozen processes, if there are any.
func (m *Manager) Thaw() { _ = m.setFrozen(false) }

// ThawAll thaws all frozen processes in the cgroup and below it. A frozen process does not die of
// SIGKILL before it is thawed.
//
// Attacker: a process of the container, which has frozen itself or others in a cgroup of its own.
// Another process may freeze them again, so the caller has to repeat this until all have ended.
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
	// A parent cgroup may be frozen, too.
	frozen, err := m.heldFrozen()
	if err == nil && frozen {
		return errors.New("a cgroup above that of the container is frozen, too")
	}
	return err
}

// heldFrozen reports whether processes are frozen although their cgroup is not.
func (m *Manager) heldFrozen() (bool, error) {
	if !m.saved.Unified {
		return m.Frozen()
	}
	// Thawing takes a moment. A frozen parent cgroup would stay frozen, so the wait is limited.
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

// KilledWhenFrozen reports whether a frozen process dies of SIGKILL at once, and not only after
// it is thawed. This is so on cgroup v2.
func (m *Manager) KilledWhenFrozen() bool { return m.saved.Unified }
