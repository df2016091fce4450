// Package cgroup puts containers into cgroups, applies linux.resources and reads the resource
// usage of containers.
//
// It supports hosts with a hierarchy for each controller (v1), hosts with a single hierarchy
// (v2), and hybrids. A [Manager] can be saved and loaded again: later commands work on the paths
// that create chose, never on flags of their own.
package cgroup

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/linux"
)

const (
	mountpoint = "/sys/fs/cgroup"
	hybrid     = mountpoint + "/unified"
	// unifiedKey is the key of the unified hierarchy in Saved.Paths.
	unifiedKey = ""
)

// Manager is the cgroup of one container, in all hierarchies.
type Manager struct {
	// Interrupt ends waiting.
	Interrupt *linux.Interrupt

	saved Saved
	scope *scope // with the systemd driver, before the creation
	lock  int    // a descriptor that locks the claimed cgroup; -1 when there is none
	// What Create applies.
	plan    plan
	settle  []setting // what Create leaves to Settle
	forks   bool      // the init forks after it entered the cgroup
	devices []deviceRule
	list    deviceList // the same, for cgroup v1
	// fresh reports whether the directory in the unified hierarchy is new.
	fresh    bool
	creation // what has to be undone
	// rootless reports whether the creator has no privileges, see Forgo.
	rootless bool
}

// Saved is the part of a Manager that has to survive the command.
type Saved struct {
	Driver Driver `json:"driver,omitempty"`
	// Systemd is the unit, with the systemd driver.
	Systemd *SavedUnit `json:"systemd,omitempty"`
	// Paths has the directory in each hierarchy; the key is the controller,
	// "name=…" for a hierarchy without one, "" for the unified hierarchy.
	Paths map[string]string `json:"paths,omitempty"`
	// Claimed reports whether all processes in the cgroup belong to the container.
	Claimed bool `json:"claimed,omitempty"`
	// Unified reports whether the host has only the unified hierarchy.
	Unified bool `json:"unified,omitempty"`
	// Foreign are those of the directories that existed before the creation. They are not
	// removed.
	Foreign []string `json:"foreign,omitempty"`
	// Above are parent directories that did not exist before, deepest first. They are removed
	// when the creation fails.
	Above []string `json:"above,omitempty"`
}

// New chooses the cgroup of a container; an empty driver means [Cgroupfs]. It has no side
// effects.
func New(s *specs.Spec, id string, driver Driver) (*Manager, error) {
	if driver == "" {
		driver = Cgroupfs
	}
	m := &Manager{saved: Saved{Driver: driver, Unified: isUnified()}, lock: -1, creation: creation{creates: true}}
	if driver != Disabled {
		path, err := m.path(s, id)
		if err != nil {
			return nil, err
		}
		if m.saved.Paths, err = paths(m.saved.Unified, path); err != nil {
			return nil, fmt.Errorf("cgroup %q: %w", path, err)
		}
		m.look()
	}
	var resources specs.LinuxResources
	if s.Linux != nil && s.Linux.Resources != nil {
		resources = *s.Linux.Resources
	}
	m.plan = m.newPlan()
	m.plan.fresh, m.plan.current = true, func(_, _ string) string { return "" }
	if m.plan.resources(&resources); m.plan.err != nil {
		return nil, m.plan.err
	}
	if driver == Disabled {
		return m, m.plan.withoutCgroup()
	}
	m.forks, m.devices = forks(s), deviceRules(resources.Devices)
	if !m.saved.Unified {
		var err error
		if m.list, err = listOf(m.devices); err != nil {
			return nil, fault.About(resourcesPointer+".devices", "%s.devices: %w", resourcesPointer, err)
		}
	}
	return m, nil
}

// newPlan returns an empty plan for this cgroup.
func (m *Manager) newPlan() plan {
	return plan{v2: m.saved.Unified, unified: m.inUnified, current: m.read, has: func(controller, file string) bool {
		return unix.Access(filepath.Join(rootOf(controller), file), unix.F_OK) == nil
	}}
}

// Warnings returns warnings about properties of linux.resources without effect.
func (m *Manager) Warnings() []string { return texts(m.plan.warnings) }

// path returns the path of the cgroup, absolute or relative like linux.cgroupsPath.
func (m *Manager) path(s *specs.Spec, id string) (string, error) {
	path := ""
	if s.Linux != nil {
		path = s.Linux.CgroupsPath
	}
	if m.saved.Driver == Systemd {
		if err := m.newScope(path, id, s); err != nil {
			return "", err
		}
		return m.saved.Systemd.path(), nil
	}
	if path == "" {
		path = defaultPath(id)
	}
	if err := checkPath(path); err != nil {
		return "", fault.About("linux.cgroupsPath", "cgroup (linux.cgroupsPath): %w", err)
	}
	return path, nil
}

// defaultPath returns the cgroup of a container whose configuration does not name one.
func defaultPath(id string) string { return "coracle-" + id }

// Load returns a manager from its saved state.
func Load(s Saved) *Manager {
	return &Manager{saved: s, lock: -1}
}

// Saved returns what Load needs. It may be saved before the cgroup exists.
func (m *Manager) Saved() Saved { return m.saved }

// checkPath refuses a path that leads out of the cgroup mount point.
func checkPath(path string) error {
	if slices.Contains(strings.Split(path, "/"), "..") {
		return fmt.Errorf("%q has \"..\" in it", path)
	}
	if filepath.Clean("/"+path) == "/" {
		return fmt.Errorf("%q is the root", path)
	}
	if strings.Count(path, ":") == 2 {
		return fault.CgroupDriverMismatch.Errorf("%q has the form slice:prefix:name, which is for the systemd driver", path)
	}
	return nil
}

// paths returns the directories of a cgroup. An absolute path starts at the root of each
// hierarchy, a relative one at the runtime's own cgroup. On v2 a relative path starts at the
// parent of the runtime's cgroup, because a cgroup with processes cannot have children with
// controllers.
func paths(unified bool, path string) (map[string]string, error) {
	own, err := linux.Self.Cgroups()
	if err != nil {
		return nil, err
	}
	if unified {
		dir := filepath.Join(mountpoint, path)
		if !filepath.IsAbs(path) {
			dir = filepath.Join(mountpoint, filepath.Dir(own[unifiedKey]), path)
		}
		return map[string]string{unifiedKey: dir}, nil
	}
	found := make(map[string]string, len(own))
	for key, ownPath := range own {
		base := rootOf(key)
		if !isCgroup(base) {
			continue // not mounted, or not here
		}
		if !filepath.IsAbs(path) {
			if base, err = dirIn(base, ownPath); err != nil {
				return nil, err
			}
		}
		found[key] = filepath.Join(base, path)
	}
	return found, nil
}

// rootOf returns the mount point of a hierarchy on a host with cgroup v1.
func rootOf(key string) string {
	if key == unifiedKey {
		return hybrid
	}
	return filepath.Join(mountpoint, strings.TrimPrefix(key, "name="))
}

// dirIn returns the directory of the cgroup with a path in its hierarchy, or the root of the
// hierarchy when the mount does not show the cgroup.
func dirIn(root, path string) (string, error) {
	dir := filepath.Join(root, path)
	if dir == root || isCgroup(dir) {
		return dir, nil
	}
	// The mount shows only a part of the hierarchy, as in a container.
	return partBelow(root, path)
}

// partBelow returns the directory of a cgroup in a mount that shows only a part of the hierarchy.
// It has to read all mounts.
func partBelow(base, own string) (string, error) {
	//allow:links a directory of the host's /sys, which nobody changes meanwhile
	real, err := filepath.EvalSymlinks(base) // cpu may be a link to cpu,cpuacct
	if err != nil {
		return "", err
	}
	mounts, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(real))
	if err != nil {
		return "", err
	}
	if len(mounts) == 0 {
		return base, nil
	}
	rel, err := filepath.Rel(mounts[0].Root, own)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return base, nil // the process is outside of the mount: use the top
	}
	return filepath.Join(base, rel), nil
}

// isUnified reports whether the host has only the unified hierarchy.
func isUnified() bool { return IsUnified(mountpoint) }

// IsUnified reports whether a directory is in the unified hierarchy.
func IsUnified(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}

func isCgroup(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && (st.Type == unix.CGROUP_SUPER_MAGIC || st.Type == unix.CGROUP2_SUPER_MAGIC)
}

// Claim takes the cgroup for the container: no other process may be in it, and no other creation
// may be about to use it. It creates the directory in which a process starts, with its limits if
// nothing else is left to Create.
//
// Only the processes of a claimed cgroup may be killed when it is destroyed, so the claim has to
// be saved before processes enter. Until [Manager.Release] no other creation can claim the same
// cgroup.
//
// With the systemd driver Claim only checks: systemd refuses a unit that exists.
func (m *Manager) Claim() error {
	switch {
	case m.Disabled():
		return nil
	case m.scope != nil:
		return m.checkUnused()
	}
	dir := m.lockDir()
	if dir == "" {
		return fault.CgroupUnavailable.Errorf("the host has no cgroups that a container could be put into")
	}
	fresh, err := m.make(dir)
	if err != nil {
		return fault.About("linux.cgroupsPath", "make the cgroup (linux.cgroupsPath): %w", err)
	}
	m.fresh = fresh && m.saved.Unified
	fd, err := openLock(dir)
	if err != nil {
		return err
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder := linux.Lockholder(fd)
		unix.Close(fd)
		return fault.Facts{Code: fault.CgroupInUse, Property: "linux.cgroupsPath", HostPath: dir}.Errorf("cgroup %s (linux.cgroupsPath): another container is being created in it, by %s", dir, holder)
	}
	m.lock = fd
	if err := m.checkUnused(); err != nil {
		m.Release()
		return err
	}
	m.saved.Claimed = true
	if m.saved.Unified {
		return m.Create(-1)
	}
	return nil
}

// lockFiles are files of a cgroup that only its owner can open: on cgroup v2, and of the v1
// controllers devices and memory. Opening them has no effect.
var lockFiles = [...]string{"cgroup.kill", "devices.deny", "memory.force_empty"}

// openLock opens the file or directory for the lock on a cgroup.
//
// Attacker: any user of the host, who can open the directory of a cgroup and lock it, to keep
// others from creating a container in it. If there is no such file, or it belongs to another
// user, as in a delegated cgroup, the directory is still used.
func openLock(dir string) (int, error) {
	for _, name := range lockFiles {
		fd, err := unix.Open(filepath.Join(dir, name), unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			return fd, nil
		}
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cgroup: %w", &os.PathError{Op: "open", Path: dir, Err: err})
	}
	return fd, nil
}

// lockDir returns a directory of the cgroup in which openLock finds a file.
func (m *Manager) lockDir() string {
	if dir := m.BirthDir(); dir != "" {
		return dir
	}
	for _, key := range []string{"devices", "memory"} {
		if dir := m.saved.Paths[key]; dir != "" {
			return dir
		}
	}
	return m.anyDir()
}

// Release unlocks the cgroup, which has a process now or is gone.
func (m *Manager) Release() {
	if m.lock >= 0 {
		unix.Close(m.lock)
		m.lock = -1
	}
}

// checkUnused refuses a cgroup that has processes, or in which processes would be frozen.
func (m *Manager) checkUnused() error {
	for _, dir := range m.saved.Paths {
		if unix.Access(dir, unix.F_OK) != nil {
			continue
		}
		if pids, err := pidsBelow(dir); err == nil && len(pids) > 0 {
			return fault.Facts{Code: fault.CgroupInUse, Property: "linux.cgroupsPath", HostPath: dir}.Errorf("cgroup %s (linux.cgroupsPath) has processes already; two containers in one cgroup would share limits, pause and kill", dir)
		}
	}
	if dir := m.frozenDir(); dir != "" {
		return fault.Facts{Code: fault.CgroupInUse, Property: "linux.cgroupsPath", HostPath: dir}.Errorf("cgroup %s (linux.cgroupsPath) or one above it is frozen; a process put there would hang", dir)
	}
	return nil
}

// JoinFiles returns the files through which a process with a single thread enters the cgroup by
// writing "0" to each. Unlike moving another process, this takes no system-wide lock. The unified
// hierarchy is not included: a process starts there, see [Manager.BirthDir].
func (m *Manager) JoinFiles() []string {
	var files []string
	for key, dir := range m.saved.Paths {
		if key != unifiedKey {
			files = append(files, filepath.Join(dir, "tasks"))
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// BirthDir returns the directory in the unified hierarchy for CLONE_INTO_CGROUP. It is empty when
// the host has no such hierarchy, or when the directory will exist only with the process.
func (m *Manager) BirthDir() string {
	if m.scope != nil {
		return ""
	}
	return m.saved.Paths[unifiedKey]
}

// BornInside reports whether all limits are in the unified hierarchy, so that they are set before
// the first process starts, see [Manager.Claim].
func (m *Manager) BornInside() bool { return m.saved.Unified && m.scope == nil }

// Hierarchies describes the cgroup for a mount of type cgroup in the container.
func (m *Manager) Hierarchies() []Hierarchy {
	if m.Disabled() {
		return nil
	}
	if m.saved.Unified {
		return []Hierarchy{{Path: m.saved.Paths[unifiedKey]}}
	}
	byDir := make(map[string]*Hierarchy)
	keys := make([]string, 0, len(m.saved.Paths))
	for key := range m.saved.Paths {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var hs []*Hierarchy
	for _, key := range keys {
		if key == unifiedKey {
			continue
		}
		dir := m.saved.Paths[key]
		real := filepath.Join(mountpoint, strings.TrimPrefix(key, "name="))
		// cpu and cpuacct may be symbolic links to cpu,cpuacct.
		if target, err := os.Readlink(real); err == nil {
			real = filepath.Join(mountpoint, filepath.Base(target))
		}
		if h := byDir[real]; h != nil {
			h.Options = append(h.Options, key)
			continue
		}
		h := &Hierarchy{Name: filepath.Base(real), Path: dir, Options: []string{key}}
		if strings.HasPrefix(key, "name=") {
			h.Options = []string{"none", key}
		}
		byDir[real] = h
		hs = append(hs, h)
	}
	out := make([]Hierarchy, len(hs))
	for i, h := range hs {
		out[i] = *h
	}
	return out
}

// Hierarchy is one hierarchy as a container sees it.
type Hierarchy struct {
	Name    string   // of the directory below /sys/fs/cgroup; empty for v2
	Options []string // mount options that select the hierarchy
	Path    string   // the container's directory on the host
}

// Dirs are the directories of the cgroup, one in each hierarchy, sorted.
func (m *Manager) Dirs() []string {
	return slices.Compact(slices.Sorted(maps.Values(m.saved.Paths)))
}
