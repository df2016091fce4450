package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// creation is what has to be undone when a creation fails: "generating an error MUST leave the
// state of the environment as if the operation were never attempted" (runtime.md#errors).
type creation struct {
	// creates reports whether this process is creating the container.
	creates bool
	// made are the directories that this process has made.
	made []string
	// undos restore the former limits of directories that existed before.
	undos []undo
	// formerDevices are the former device rules of such a directory, on cgroup v1.
	formerDevices *deviceList
	// filtered reports whether such a directory got its first device filter, on cgroup v2.
	filtered bool
}

// look finds out which directories exist, so that this can be recorded before anything is made.
func (m *Manager) look() {
	m.saved.Foreign, m.saved.Above = nil, nil
	for _, dir := range m.saved.Paths {
		if !missing(dir) {
			m.saved.Foreign = append(m.saved.Foreign, dir)
			continue
		}
		if m.scope != nil {
			continue // systemd manages slices
		}
		for above := filepath.Dir(dir); strings.HasPrefix(above, mountpoint+"/") && missing(above); above = filepath.Dir(above) {
			m.saved.Above = append(m.saved.Above, above)
		}
	}
	slices.Sort(m.saved.Foreign)
	// Deepest first: in this order a directory comes before its parent.
	slices.SortFunc(m.saved.Above, func(a, b string) int { return strings.Compare(b, a) })
	m.saved.Above = slices.Compact(m.saved.Above)
}

func missing(dir string) bool { return errors.Is(unix.Access(dir, unix.F_OK), unix.ENOENT) }

// isForeign reports whether a directory was not made for this container.
func (m *Manager) isForeign(dir string) bool { return slices.Contains(m.saved.Foreign, dir) }

// make makes a directory of the cgroup. fresh reports whether it is new.
func (m *Manager) make(dir string) (fresh bool, err error) {
	fresh, err = makeDir(dir)
	switch {
	case err != nil:
	case fresh:
		m.made = append(m.made, dir)
	case m.scope == nil && !m.isForeign(dir) && !slices.ContainsFunc(m.made, func(own string) bool { return sameDir(own, dir) }):
		// It did not exist a moment ago, so another process has made it. A directory that was
		// made for another controller of the same hierarchy is not foreign.
		m.saved.Foreign = append(m.saved.Foreign, dir)
	}
	return fresh, err
}

func sameDir(a, b string) bool {
	if a == b {
		return true
	}
	var x, y unix.Stat_t
	return unix.Stat(a, &x) == nil && unix.Stat(b, &y) == nil && x.Dev == y.Dev && x.Ino == y.Ino
}

// makeDir makes the directory of a cgroup and its parents. fresh reports whether the last one is
// new.
func makeDir(dir string) (fresh bool, err error) {
	// A failed creation may remove the parent meanwhile.
	for range 100 {
		err = unix.Mkdir(dir, 0o755)
		if !errors.Is(err, unix.ENOENT) || dir == mountpoint || dir == "/" {
			break
		}
		if _, err := makeDir(filepath.Dir(dir)); err != nil {
			return false, err
		}
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EEXIST):
		return false, nil
	case errors.Is(err, unix.EROFS):
		return false, fmt.Errorf("%w (the cgroups are mounted read-only)", &os.PathError{Op: "mkdir", Path: dir, Err: err})
	}
	return false, &os.PathError{Op: "mkdir", Path: dir, Err: err}
}

// Undo removes what a failed or interrupted creation has made, and restores the former limits of
// cgroups that existed before, as far as this process knows them. Parent directories that others
// use stay.
func (m *Manager) Undo() error {
	if len(m.undos) > 0 {
		_ = m.rollBack(m.undos)
	}
	if f := m.formerDevices; f != nil && !f.allow { // the exceptions of an allowing list are unknown
		_ = m.setDevices(nil, *f, false)
	}
	if err := m.Destroy(); err != nil {
		return err
	}
	if m.filtered {
		_ = detachFilters(m.saved.Paths[unifiedKey])
	}
	for _, dir := range m.saved.Above {
		_ = rmdir(dir)
	}
	return nil
}
