package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/linux"
)

// Place is the cgroup of an additional process of a container.
type Place struct {
	// Join are the files through which the process enters, see [Manager.JoinFiles].
	Join []string
	// Count is the one of them whose hierarchy does nothing but count and limit processes.
	Count string
	// Birth is the directory in which the process starts, see [Manager.BirthDir].
	Birth string
}

// Place returns the place of an additional process. Each element of sub names an existing cgroup
// below the container's: PATH in all hierarchies or, on v1, CONTROLLER[,CONTROLLER]:PATH in some.
// init is the first process of the container.
//
// In the unified hierarchy a cgroup whose controllers are enabled for its children cannot have
// processes. If the container has done that, the process goes to the cgroup of its init. The same
// holds in each hierarchy in which the container has left its cgroup and the cgroup is gone.
func (m *Manager) Place(sub []string, init int) (Place, error) {
	paths, err := m.subPaths(sub)
	if err != nil {
		return Place{}, err
	}
	of := whereabouts{pid: init, unified: m.saved.Unified}
	at := Load(Saved{Paths: make(map[string]string, len(m.saved.Paths)), Unified: m.saved.Unified})
	for key, dir := range m.saved.Paths {
		below, chosen := paths[key]
		err := unix.Access(filepath.Join(dir, below), unix.F_OK)
		switch {
		case err == nil && !chosen && key == unifiedKey:
			dir = of.leaf(dir)
		case errors.Is(err, unix.ENOENT) && !chosen:
			if found := of.dir(key); found != "" {
				dir, err = found, nil
			}
		}
		if err != nil {
			return Place{}, fault.Facts{HostPath: filepath.Join(dir, below)}.Errorf("cgroup %s: %w", filepath.Join(dir, below), err)
		}
		at.saved.Paths[key] = filepath.Join(dir, below)
	}
	return Place{Join: at.JoinFiles(), Count: at.countFile(), Birth: at.BirthDir()}, nil
}

// countFile is the one of the JoinFiles that only the controller pids is behind.
func (m *Manager) countFile() string {
	dir, ok := m.saved.Paths["pids"]
	for key, other := range m.saved.Paths {
		ok = ok && (key == "pids" || other != dir)
	}
	if !ok {
		return ""
	}
	return filepath.Join(dir, "tasks")
}

// Crowded reports whether there is no room for two processes at the place in the unified
// hierarchy.
func (p Place) Crowded() bool {
	number := func(name string) (uint64, bool) {
		data, err := linux.ReadFollow(filepath.Join(p.Birth, name), 64)
		n, parseErr := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
		return n, err == nil && parseErr == nil
	}
	limit, limited := number("pids.max")
	if !limited {
		return false
	}
	current, ok := number("pids.current")
	return ok && current+2 > limit
}

// subPaths returns the path below the container's cgroup for each hierarchy that is named.
func (m *Manager) subPaths(sub []string) (map[string]string, error) {
	paths := make(map[string]string)
	for _, s := range sub {
		controllers, path, perController := strings.Cut(s, ":")
		if !perController {
			controllers, path = "", s
		}
		if path == "" || strings.ContainsRune(path, 0) || slices.Contains(strings.Split(path, "/"), "..") {
			return nil, fmt.Errorf("%q is not the path of a cgroup below that of the container", s)
		}
		switch {
		case perController && m.saved.Unified:
			return nil, fmt.Errorf("%q: this host has cgroup v2, in which all controllers have one path", s)
		case !perController && len(sub) > 1:
			return nil, fmt.Errorf("%q: of several cgroups each needs its controllers, like memory:%s", s, path)
		case !perController:
			for key, dir := range m.saved.Paths {
				if key == unifiedKey && !m.saved.Unified && unix.Access(filepath.Join(dir, path), unix.F_OK) != nil {
					continue // a hybrid host, on which this hierarchy is hardly used
				}
				paths[key] = path
			}
			continue
		}
		for controller := range strings.SplitSeq(controllers, ",") {
			key := controller
			if _, ok := m.saved.Paths["name="+controller]; ok {
				key = "name=" + controller
			}
			if _, ok := m.saved.Paths[key]; !ok || key == unifiedKey {
				return nil, fmt.Errorf("%q: the container has no cgroup of a controller %q", s, controller)
			}
			if _, ok := paths[key]; ok {
				return nil, fmt.Errorf("%q: the controller %q is named twice", s, controller)
			}
			paths[key] = path
		}
	}
	return paths, nil
}

// whereabouts finds the cgroups of a container's init when they are needed.
type whereabouts struct {
	pid     int
	unified bool
	cgroups map[string]string
}

// dir returns the directory of its cgroup in a hierarchy; "" when it is not visible.
func (w *whereabouts) dir(key string) string {
	if w.cgroups == nil {
		w.cgroups, _ = linux.PID(w.pid).Living().Cgroups()
	}
	path, ok := w.cgroups[key]
	// The path of a cgroup outside of this cgroup namespace begins with /.. there.
	if !ok || path == "/.." || strings.HasPrefix(path, "/../") {
		return ""
	}
	root := mountpoint
	if !w.unified {
		root = rootOf(key)
	}
	dir, err := dirIn(root, path)
	if err != nil || dir == root && path != "/" {
		return ""
	}
	return dir
}

// leaf returns a directory of the unified hierarchy or, if that cannot have processes, the cgroup
// of the init below it.
func (w *whereabouts) leaf(dir string) string {
	control, err := linux.ReadFollow(filepath.Join(dir, "cgroup.subtree_control"), 1<<12)
	if err != nil || strings.TrimSpace(string(control)) == "" {
		return dir
	}
	if found := w.dir(unifiedKey); strings.HasPrefix(found, dir+"/") {
		return found
	}
	return dir
}
