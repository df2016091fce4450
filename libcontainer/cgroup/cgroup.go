// Package cgroup puts containers into cgroups and applies linux.resources, by way
// of github.com/opencontainers/cgroups.
//
// Hosts with a hierarchy for each controller (v1), with a single one (v2) and
// hybrids work. A [Manager] can be saved and loaded again: later commands work on
// the paths that create decided, never on flags of their own.
package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/cgroups"
	// For its effect: it makes managers apply rules for devices.
	_ "github.com/opencontainers/cgroups/devices"
	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/rawfile"
)

const (
	mountpoint = "/sys/fs/cgroup"
	hybrid     = mountpoint + "/unified"
	// unifiedKey is the key of the unified hierarchy in Saved.Paths.
	unifiedKey = ""
)

// Manager is the cgroup of one container, in all hierarchies.
type Manager struct {
	saved  Saved
	config *cgroups.Cgroup
	lock   int // a descriptor that locks the claimed cgroup; -1 without one
}

// Saved is what has to be kept of a manager.
type Saved struct {
	// Paths has the directory in each hierarchy; the key is the controller,
	// "name=…" for a hierarchy without one, "" for the unified hierarchy.
	Paths map[string]string `json:"paths,omitempty"`
	// Claimed tells that what is in the cgroup is the container's.
	Claimed bool `json:"claimed,omitempty"`
	// Unified tells that the host has only the unified hierarchy.
	Unified bool `json:"unified,omitempty"`
}

// New decides on the cgroup of a container. It has no side effects.
func New(s *specs.Spec, id string) (*Manager, error) {
	path := ""
	if s.Linux != nil {
		path = s.Linux.CgroupsPath
	}
	if path == "" {
		path = "coracle-" + id
	}
	if err := checkPath(path); err != nil {
		return nil, fmt.Errorf("cgroup (linux.cgroupsPath): %w", err)
	}
	resources, err := Resources(s)
	if err != nil {
		return nil, err
	}
	m := &Manager{config: &cgroups.Cgroup{Path: path, Resources: resources}, lock: -1}
	m.saved.Unified = cgroups.IsCgroup2UnifiedMode()
	if m.saved.Unified && resources.Unified == nil && s.Linux != nil && s.Linux.Resources != nil {
		resources.Unified = s.Linux.Resources.Unified
	}
	if !m.saved.Unified && s.Linux != nil && s.Linux.Resources != nil && len(s.Linux.Resources.Unified) > 0 {
		return nil, errors.New("linux.resources.unified: this host has cgroup v1")
	}
	if m.saved.Paths, err = paths(m.saved.Unified, path, m.config); err != nil {
		return nil, fmt.Errorf("cgroup %q: %w", path, err)
	}
	return m, nil
}

// Load makes a manager from what was saved.
func Load(s Saved) *Manager {
	return &Manager{saved: s, config: &cgroups.Cgroup{Resources: &cgroups.Resources{}}, lock: -1}
}

// Saved is what Load needs. The cgroup may be saved before it exists.
func (m *Manager) Saved() Saved { return m.saved }

// checkPath refuses a path that would not stay below the cgroup mount point.
func checkPath(path string) error {
	if slices.Contains(strings.Split(path, "/"), "..") {
		return fmt.Errorf("%q has \"..\" in it", path)
	}
	if filepath.Clean("/"+path) == "/" {
		return fmt.Errorf("%q is the root", path)
	}
	if strings.Count(path, ":") == 2 {
		return fmt.Errorf("%q has the form slice:prefix:name, which is for the systemd driver; this version of coracle has none", path)
	}
	return nil
}

// paths finds the directories of a cgroup. An absolute path starts at the root of
// each hierarchy, a relative one at the runtime's own cgroup, or for v2, where a
// cgroup with processes cannot have children with controllers, next to it.
func paths(unified bool, path string, config *cgroups.Cgroup) (map[string]string, error) {
	own, err := ownCgroups()
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
		base := filepath.Join(mountpoint, strings.TrimPrefix(key, "name="))
		if key == unifiedKey {
			if !cgroups.IsCgroup2HybridMode() {
				continue
			}
			base = hybrid
		} else if !isCgroup(base) {
			continue // not mounted, or not here
		}
		if !filepath.IsAbs(path) {
			own := filepath.Join(base, ownPath)
			if own != base && !isCgroup(own) {
				// The mount shows only a part of the hierarchy, as in a container.
				// The library finds out which; it has to read all mounts for it.
				return libraryPaths(config)
			}
			base = own
		}
		found[key] = filepath.Join(base, path)
	}
	if found["devices"] == "" {
		return libraryPaths(config)
	}
	return found, nil
}

// ownCgroups has the path of this process's cgroup for each controller, "name=…" and,
// with an empty key, the unified hierarchy (cgroups(7), /proc/PID/cgroup).
func ownCgroups() (map[string]string, error) {
	data, err := rawfile.ReadFollow("/proc/self/cgroup", 1<<20)
	if err != nil {
		return nil, err
	}
	own := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			return nil, fmt.Errorf("/proc/self/cgroup has a malformed line %q", line)
		}
		for key := range strings.SplitSeq(parts[1], ",") {
			own[key] = parts[2]
		}
	}
	return own, nil
}

func libraryPaths(config *cgroups.Cgroup) (map[string]string, error) {
	m, err := fs.NewManager(config, nil)
	if err != nil {
		return nil, err
	}
	return m.GetPaths(), nil
}

func isCgroup(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && (st.Type == unix.CGROUP_SUPER_MAGIC || st.Type == unix.CGROUP2_SUPER_MAGIC)
}

func (m *Manager) library() (cgroups.Manager, error) {
	if m.saved.Unified {
		return fs2.NewManager(m.config, m.saved.Paths[unifiedKey])
	}
	p := make(map[string]string, len(m.saved.Paths))
	for k, v := range m.saved.Paths {
		p[k] = v
	}
	return fs.NewManager(m.config, p)
}

// Claim makes the cgroup the container's: nobody else may be in it or about to use it.
// It makes the directory that a process is born in, with its limits when nothing else
// is left to Create.
//
// Only a claimed cgroup may be emptied by force when it is destroyed, so the claim has
// to be saved once there is something to lose. Until [Manager.Release] no other
// creation can claim the same cgroup.
func (m *Manager) Claim() error {
	dir := m.BirthDir()
	if dir == "" {
		dir = m.anyDir()
	}
	if dir == "" {
		return errors.New("the host has no cgroups that a container could be put into")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the cgroup (linux.cgroupsPath): %w", err)
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cgroup: %w", &os.PathError{Op: "open", Path: dir, Err: err})
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		return fmt.Errorf("cgroup %s (linux.cgroupsPath): another container is being created in it", dir)
	}
	m.lock = fd
	if err := m.checkUnused(); err != nil {
		m.Release()
		return err
	}
	m.saved.Claimed = true
	if m.saved.Unified {
		return m.Create()
	}
	return nil
}

// Release lets others find the cgroup, which by now has a process in it or is gone.
func (m *Manager) Release() {
	if m.lock >= 0 {
		unix.Close(m.lock)
		m.lock = -1
	}
}

// checkUnused refuses a cgroup that has processes or is frozen.
func (m *Manager) checkUnused() error {
	for _, dir := range m.saved.Paths {
		if unix.Access(dir, unix.F_OK) != nil {
			continue
		}
		if pids, err := pidsBelow(dir); err == nil && len(pids) > 0 {
			return fmt.Errorf("cgroup %s (linux.cgroupsPath) has processes already; two containers in one cgroup would share limits, pause and kill", dir)
		}
	}
	if frozen, _ := m.Frozen(); frozen {
		return errors.New("the cgroup (linux.cgroupsPath) exists and is frozen; a process put into it would hang")
	}
	return nil
}

// Create makes the cgroup and applies the limits. Where a process is born inside,
// Claim has done it.
func (m *Manager) Create() error {
	lib, err := m.library()
	if err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	if err := lib.Apply(-1); err != nil {
		return fmt.Errorf("make the cgroup (linux.cgroupsPath, linux.resources): %w", err)
	}
	if err := lib.Set(m.config.Resources); err != nil {
		return fmt.Errorf("apply the limits (linux.resources): %w", err)
	}
	return nil
}

// JoinFiles are the files through which a process with a single thread enters
// the cgroup by writing "0" to each. Unlike moving another process, this takes no
// lock of the whole system. The unified hierarchy is not among them: a process is
// born there, see [Manager.BirthDir].
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

// BirthDir is the directory in the unified hierarchy, for CLONE_INTO_CGROUP; empty
// when the host has none.
func (m *Manager) BirthDir() string { return m.saved.Paths[unifiedKey] }

// BornInside tells that all that matters is in the unified hierarchy: the limits are
// there before the first process is, see [Manager.Claim].
func (m *Manager) BornInside() bool { return m.saved.Unified }

// Hierarchies describes the cgroup for a mount of type cgroup in the container.
func (m *Manager) Hierarchies() []Hierarchy {
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
		// cpu and cpuacct may be links to cpu,cpuacct.
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
	Name    string   // of its directory below /sys/fs/cgroup; empty for v2
	Options []string // that select it when it is mounted
	Path    string   // the container's directory on the host
}
