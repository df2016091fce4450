package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci"
)

// Create creates the cgroup and applies the limits, unless Claim has done it for a process that
// starts inside. With the systemd driver it puts the first process into it.
func (m *Manager) Create(pid int) error {
	if m.Disabled() {
		return nil
	}
	settings := m.plan.settings
	if m.forks {
		settings, m.settle = withoutFork(settings)
	}
	if m.scope != nil {
		if err := m.startScope(pid, settings); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m.saved.Paths)) {
		if err := m.create(key, m.saved.Paths[key]); err != nil {
			return fault.About("linux.cgroupsPath", "make the cgroup (linux.cgroupsPath, linux.resources): %w", err)
		}
	}
	undos, err := m.apply(settings, len(m.saved.Foreign) > 0)
	for _, u := range undos {
		if m.isForeign(filepath.Dir(u.path)) {
			m.undos = append(m.undos, u)
		}
	}
	if err == nil {
		err = m.checkCpuset(settings)
	}
	if err == nil {
		err = m.createDevices()
	}
	if err != nil {
		return fmt.Errorf("apply the limits: %w", err)
	}
	return nil
}

// createDevices applies the device rules for the first time.
func (m *Manager) createDevices() error {
	if dir := m.saved.Paths[unifiedKey]; m.saved.Unified && m.isForeign(dir) {
		has, err := hasFilters(dir)
		m.filtered = err == nil && !has
	} else if dir := m.saved.Paths["devices"]; !m.saved.Unified && m.isForeign(dir) {
		if l, err := deviceListOf(dir); err == nil {
			m.formerDevices = &l
		}
	}
	return m.unlessRefused(m.setDevices(m.devices, m.list, true))
}

func (m *Manager) create(key, dir string) error {
	switch {
	case key == unifiedKey && m.scope != nil:
		return nil // systemd has made it, with the controllers that it delegates
	case key == unifiedKey:
		// Claim has made the directory.
		return m.enableControllers(dir)
	case key == "cpuset":
		return m.makeCpuset(dir, func(file string) bool {
			return slices.ContainsFunc(m.plan.settings, func(s setting) bool { return slices.Contains(s.files, file) })
		})
	}
	_, err := m.make(dir)
	return err
}

// makeCpuset makes a cgroup of the controller cpuset of cgroup v1, which accepts no process
// before it has CPUs and memory nodes. Unless gets reports that the container's limits set a
// file, the value is inherited from the parent.
func (m *Manager) makeCpuset(dir string, gets func(file string) bool) error {
	fresh, err := m.make(dir)
	if err != nil {
		return err
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		from, write := dir, false
		if set := gets(file); set || fresh {
			// A new one is empty, or a copy of the parent.
			from, write = filepath.Dir(dir), !set
		}
		value, err := inheritCpuset(from, file)
		if err == nil && write {
			err = linux.Write(filepath.Join(dir, file), value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inheritCpuset copies an empty value from the parent cgroup, and returns the value.
func inheritCpuset(dir, file string) (string, error) {
	path := filepath.Join(dir, file)
	content, err := linux.ReadFollow(path, 1<<16)
	if err != nil {
		return "", err
	}
	if value := strings.TrimSpace(string(content)); value != "" {
		return value, nil
	}
	value, err := inheritCpuset(filepath.Dir(dir), file)
	if err != nil {
		return "", err
	}
	return value, linux.Write(path, value)
}

// enableControllers enables the host's controllers for a cgroup of the unified hierarchy. On a
// hybrid host it enables only those that are needed, because enabling takes time.
//
// A controller that is not needed may stay disabled, for instance because this process lacks the
// permission. If it is needed, setting the limit fails.
func (m *Manager) enableControllers(dir string) error {
	root := mountpoint
	wanted := m.plan.needed()
	if !m.saved.Unified {
		root = hybrid
		if len(wanted) == 0 {
			return nil
		}
	}
	here := func(dir string) ([]string, error) {
		content, err := linux.ReadFollow(filepath.Join(dir, "cgroup.controllers"), 1<<12)
		return strings.Fields(string(content)), err
	}
	has, err := here(dir)
	if err != nil {
		return err
	}
	if m.saved.Unified {
		// Usually all of them are enabled.
		if wanted, err = here(root); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(wanted, func(c string) bool { return !slices.Contains(has, c) }) {
		return m.checkType(dir)
	}
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		return err
	}
	above := root
	for part := range strings.SplitSeq(rel, "/") {
		control := filepath.Join(above, "cgroup.subtree_control")
		if err := linux.Write(control, "+"+strings.Join(wanted, " +")); err != nil {
			for _, c := range wanted { // one by one: some may fail
				_ = linux.Write(control, "+"+c)
			}
		}
		above = filepath.Join(above, part)
	}
	return m.checkType(dir)
}

// checkType checks whether a cgroup can have processes. Below a cgroup with processes it cannot,
// unless it is threaded, which not all controllers support.
func (m *Manager) checkType(dir string) error {
	content, err := linux.ReadFollow(filepath.Join(dir, "cgroup.type"), 1<<10)
	if err != nil {
		return nil // a kernel without threaded cgroups
	}
	kind := strings.TrimSpace(string(content))
	if kind == "domain" {
		return nil
	}
	for _, c := range m.plan.needed() {
		if !slices.Contains([]string{"cpu", "cpuset", "pids", "perf_event"}, c) {
			return fmt.Errorf("cgroup %s is of the type %q, in which the controller %s does not work (a cgroup above has processes)", dir, kind, c)
		}
	}
	if kind == "domain invalid" {
		return linux.Write(filepath.Join(dir, "cgroup.type"), "threaded")
	}
	return nil
}

// lacksDevices reports whether this process cannot set device rules at all, because they need the
// superuser of the host. Such a process cannot make device nodes, either: the container gets the
// host's nodes, with their owners and modes.
func (m *Manager) lacksDevices() bool { return m.rootless || linux.InUserNamespace() }

// unlessRefused returns the error of setDevices, or nil if this process cannot set device rules.
func (m *Manager) unlessRefused(err error) error {
	if errors.Is(err, os.ErrPermission) && m.lacksDevices() {
		return nil
	}
	return err
}

// setDevices applies device rules; list is the same for cgroup v1.
func (m *Manager) setDevices(rules []deviceRule, list deviceList, fresh bool) error {
	if !m.saved.Unified {
		dir := m.saved.Paths["devices"]
		if dir == "" && m.lacksDevices() {
			return nil
		}
		if dir == "" {
			return fault.About(resourcesPointer+".devices", "%s.devices: this host has no cgroup controller devices, so the container could use all devices", resourcesPointer)
		}
		if err := setDeviceList(dir, list, fresh); err != nil {
			return fault.About(resourcesPointer+".devices", "%s.devices: %w", resourcesPointer, err)
		}
		return nil
	}
	dir := m.saved.Paths[unifiedKey]
	if err := setDeviceFilter(dir, rules, fresh && m.fresh); err != nil {
		return fault.About(resourcesPointer+".devices", "%s.devices: %w", resourcesPointer, err)
	}
	return nil
}

// checkCpuset checks whether a cgroup of v2 got the CPUs and memory nodes that were set: the
// kernel silently replaces those that are not available.
func (m *Manager) checkCpuset(settings []setting) error {
	for _, s := range settings {
		if s.controller != "cpuset" || !m.inUnified("cpuset") {
			continue
		}
		wanted, _ := oci.ParseList(s.value)
		effective := m.read("cpuset", s.files[0]+".effective")
		got, err := oci.ParseList(effective)
		if err == nil && len(got) > 0 && !wanted.Within(got) {
			return fault.About(resourcesPointer+"."+s.pointer, "%s.%s: the kernel uses %q instead of %q%s", resourcesPointer, s.pointer, effective, s.value, inBrackets(s.reason(m.dirOf("cpuset"), s.value)))
		}
	}
	return nil
}
