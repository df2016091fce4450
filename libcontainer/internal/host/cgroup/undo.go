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

// creation is what has to be known when it fails: "generating an error MUST leave the state
// of the environment as if the operation were never attempted" (runtime.md#errors).
type creation struct {
	// creates reports whether this process is the one that does it.
	creates bool
	// made are the directories that this process has made.
	made []string
	// undos bring back the former limits of directories that were there.
	undos []undo
	// formerDevices are the rules for devices of such a one, with cgroup v1.
	formerDevices *deviceList
	// filtered reports whether it got its first filter of devices, with cgroup v2.
	filtered bool
}

// look finds out which directories there are before anything is made, so that it can be
// recorded before.
func (m *Manager) look() {
	m.saved.Foreign, m.saved.Above = nil, nil
	for _, dir := range m.saved.Paths {
		if !missing(dir) {
			m.saved.Foreign = append(m.saved.Foreign, dir)
			continue
		}
		if m.scope != nil {
			continue // slices are systemd's
		}
		for above := filepath.Dir(dir); strings.HasPrefix(above, mountpoint+"/") && missing(above); above = filepath.Dir(above) {
			m.saved.Above = append(m.saved.Above, above)
		}
	}
	slices.Sort(m.saved.Foreign)
	// Those below first, of which the path is the longer one.
	slices.SortFunc(m.saved.Above, func(a, b string) int { return strings.Compare(b, a) })
	m.saved.Above = slices.Compact(m.saved.Above)
}

func missing(dir string) bool { return errors.Is(unix.Access(dir, unix.F_OK), unix.ENOENT) }

// isForeign reports whether a directory is not of this container's creation.
func (m *Manager) isForeign(dir string) bool { return slices.Contains(m.saved.Foreign, dir) }

// make makes a directory of the cgroup. It reports whether that is new.
func (m *Manager) make(dir string) (fresh bool, err error) {
	fresh, err = makeDir(dir)
	switch {
	case err != nil:
	case fresh:
		m.made = append(m.made, dir)
	case m.scope == nil && !m.isForeign(dir) && !slices.ContainsFunc(m.made, func(own string) bool { return sameDir(own, dir) }):
		// It was not there a moment ago, and has come from somebody else. Of controllers in
		// one hierarchy the second finds what was made for the first.
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

// makeDir makes the directory of a cgroup with those above. It reports whether the last one
// is new.
func makeDir(dir string) (fresh bool, err error) {
	// The one above may be removed by a creation that has failed.
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

// Undo removes what a creation has made that failed or was cut off, and gives cgroups that
// were there before it their former limits, as far as this process knows them. Directories
// above those of the container stay where others use them.
func (m *Manager) Undo() error {
	if len(m.undos) > 0 {
		_ = m.rollBack(m.undos)
	}
	if f := m.formerDevices; f != nil && !f.allow { // otherwise nobody knows its exceptions
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
