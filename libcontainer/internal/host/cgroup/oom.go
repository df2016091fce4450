package cgroup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
)

// OOMWatch reports when the container runs out of memory.
type OOMWatch struct {
	// FD is the descriptor for poll(2), with the poll events in Events.
	FD     int
	Events int16

	manager *Manager
	control int // cgroup v1: memory.oom_control, which has to stay open
	count   uint64
}

// WatchOOM starts watching; nil when the memory controller is not enabled.
func (m *Manager) WatchOOM() (*OOMWatch, error) {
	dir := m.dirOf("memory")
	if dir == "" {
		return nil, nil
	}
	w := &OOMWatch{FD: -1, manager: m, control: -1}
	if m.inUnified("memory") {
		// poll(2) returns when the file changes.
		path := filepath.Join(dir, "memory.events")
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) {
			return nil, nil // the controller is not enabled here
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		w.FD, w.Events = fd, unix.POLLPRI
		w.count = m.OOMKills()
		return w, w.rearm()
	}
	// Linux, cgroup-v1/memory.rst, section 10: an eventfd is registered.
	path := filepath.Join(dir, "memory.oom_control")
	var err error
	if w.control, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	if w.FD, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err == nil {
		w.Events = unix.POLLIN
		err = linux.Write(filepath.Join(dir, "cgroup.event_control"), fmt.Sprintf("%d %d", w.FD, w.control))
	}
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("watch for a lack of memory: %w", err)
	}
	return w, nil
}

// Close ends the watch.
func (w *OOMWatch) Close() {
	for _, fd := range []int{w.FD, w.control} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// Happened returns how often memory has run out since the last call.
func (w *OOMWatch) Happened() (times uint64) {
	if w.control < 0 {
		count := w.manager.OOMKills()
		_ = w.rearm()
		if count > w.count {
			times = count - w.count
			w.count = count
		}
		return times
	}
	var buf [8]byte
	if n, err := unix.Read(w.FD, buf[:]); err != nil || n != len(buf) {
		return 0
	}
	// Removing the cgroup raises an event, too.
	if _, err := os.Stat(w.manager.dirOf("memory")); err != nil {
		return 0
	}
	return binary.NativeEndian.Uint64(buf[:])
}

// rearm reads the file, which poll(2) needs before it reports the next change.
func (w *OOMWatch) rearm() error {
	var buf [256]byte
	_, err := unix.Pread(w.FD, buf[:], 0)
	return err
}

// OOMKills returns how many processes of the container were killed because it ran out of memory.
func (m *Manager) OOMKills() uint64 {
	c := m.counters("memory")
	if m.inUnified("memory") {
		return c.table("memory.events")["oom_kill"]
	}
	return c.table("memory.oom_control")["oom_kill"]
}

// Shortage describes how a container ran out of memory.
type Shortage struct {
	// Killed is the number of processes that were killed for it.
	Killed uint64
	// Limit is the container's memory limit and Peak its peak usage, in bytes.
	Limit, Peak uint64
	// Own reports whether the container reached its own limit. Otherwise a parent cgroup or the
	// host ran out of memory.
	Own bool
}

// Shortage returns how the container ran out of memory; nil when it did not.
func (m *Manager) Shortage() *Shortage {
	c := m.counters("memory")
	s := &Shortage{Killed: m.OOMKills()}
	var reached uint64
	if m.inUnified("memory") {
		reached, s.Limit, s.Peak = c.table("memory.events")["max"], c.number("memory.max"), c.number("memory.peak")
		if s.Peak == 0 { // before Linux 5.19
			s.Peak = c.number("memory.current")
		}
	} else {
		// The kernel does not always count failures.
		reached, s.Limit, s.Peak = c.number("memory.failcnt"), c.number("memory.limit_in_bytes"), c.number("memory.max_usage_in_bytes")
	}
	// A limit below one page means no memory at all.
	none := m.read("memory", "memory.max") == "0" || m.read("memory", "memory.limit_in_bytes") == "0"
	s.Own = reached > 0 || none || s.Limit > 0 && s.Peak >= s.Limit
	if s.Killed == 0 && !s.Own {
		return nil
	}
	return s
}
