package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/systemd"
	"coracle/libcontainer/internal/linux"
)

// SavedUnit is the part of a systemd unit that has to survive the command.
type SavedUnit struct {
	systemd.Unit
	// Instance is the systemd manager of the unit, so that a later command need not find it.
	Instance systemd.Instance `json:"instance"`
}

// scope is a scope before it is created.
type scope struct {
	properties []systemd.Property // except the limits
}

// newScope chooses the unit of a container.
func (m *Manager) newScope(path, id string, s *specs.Spec) error {
	instance, err := systemd.Own()
	if err != nil {
		return fmt.Errorf("cgroup: the systemd driver: %w", err)
	}
	unit, err := systemd.ParsePath(path, id, instance.User)
	if err != nil {
		return fault.About("linux.cgroupsPath", "cgroup (linux.cgroupsPath): %w", err)
	}
	asked, problems := systemd.Annotations(s)
	if len(problems) > 0 {
		return problems[0]
	}
	m.scope = &scope{properties: append([]systemd.Property{systemd.Text("Description", "coracle container "+id)}, asked...)}
	m.saved.Systemd = &SavedUnit{Unit: unit, Instance: instance}
	return nil
}

// limitsOf returns the settings as unit properties, where systemd has one.
func limitsOf(settings []setting) []systemd.Property {
	files := make([]systemd.File, 0, len(settings))
	for _, s := range settings {
		files = append(files, systemd.File{Name: s.files[0], Value: s.value})
	}
	return systemd.Limits(files)
}

// startScope creates the scope with a process in it, and with these limits. Only then the path of
// its cgroup is known.
func (m *Manager) startScope(pid int, settings []setting) error {
	u := m.saved.Systemd
	properties := slices.Concat(systemd.Accounting(m.saved.Unified), limitsOf(settings), m.scope.properties)
	if err := m.instance().StartScope(u.Unit, pid, properties); err != nil {
		return fault.About("linux.cgroupsPath", "make the cgroup (linux.cgroupsPath, linux.resources): %w", err)
	}
	m.saved.Claimed, m.fresh = true, m.saved.Unified
	path, err := systemd.CgroupOf(linux.PID(pid))
	if err != nil {
		return fmt.Errorf("find the cgroup of the systemd unit %q: %w", u.Name, err)
	}
	if expected := u.Instance.Path(u.Unit); path != expected {
		return fmt.Errorf("systemd has put the unit %q into the cgroup %s, and not into %s; is this the systemd that manages this host?", u.Name, path, expected)
	}
	return nil
}

// BornOutside reports whether the first process starts outside of its cgroup, because the cgroup
// cannot exist without it. The init has to wait until [Manager.Create] has moved it.
func (m *Manager) BornOutside() bool { return m.scope != nil }

// endScope kills the processes in the scope and makes systemd remove the unit. A scope ends by
// itself with its last process; then systemd need not be asked.
//
// It is no error when systemd does not answer: the caller removes the empty cgroup, and systemd
// will notice.
func (m *Manager) endScope(deadline time.Time) error {
	dir := m.saved.Paths[unifiedKey]
	if !m.saved.Unified {
		dir = filepath.Join(mountpoint, "systemd", m.saved.Systemd.path())
	}
	exists := func() bool {
		_, err := os.Lstat(dir)
		return err == nil
	}
	if !exists() {
		return nil
	}
	if err := m.kill(deadline); err != nil {
		return err
	}
	// systemd answers at once, or is busy.
	for delay := time.Millisecond; delay < 10*time.Millisecond; delay *= 2 {
		if !exists() {
			return nil
		}
		if err := m.Interrupt.Sleep(delay); err != nil {
			return err
		}
	}
	if err := m.instance().Stop(m.saved.Systemd.Unit); err != nil && exists() {
		if rmdir(dir) != nil {
			return err
		}
	}
	return nil
}

// instance returns the manager of the unit, for an exchange that can be interrupted.
func (m *Manager) instance() systemd.Instance {
	i := m.saved.Systemd.Instance
	i.Interrupt = m.Interrupt
	return i
}

func (u *SavedUnit) path() string { return u.Instance.Path(u.Unit) }

// updateScope updates the limits in systemd, so that systemd does not undo them. It does nothing
// for other drivers.
func (m *Manager) updateScope(settings []setting) error {
	u := m.saved.Systemd
	if u == nil {
		return nil
	}
	settings = slices.Concat(m.cpuNow(settings), settings)
	changed := limitsOf(settings)
	if len(changed) == 0 {
		return nil
	}
	if err := m.instance().Set(u.Unit, changed); err != nil {
		return err
	}
	// systemd has also written the files, less exactly.
	_, err := m.apply(settings, false)
	return err
}

// cpuNow returns the current values of the controller cpu as settings. systemd writes all of them
// when one changes, and stores the quota as its ratio to the period. It returns none if the
// settings change no such value.
func (m *Manager) cpuNow(settings []setting) (now []setting) {
	isCPU := func(s setting) bool { return strings.HasPrefix(s.files[0], "cpu.") }
	if !slices.ContainsFunc(settings, isCPU) {
		return nil
	}
	files := []string{"cpu.shares", "cpu.weight", "cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.max", "cpu.idle"}
	if m.read("cpu", "cpu.idle") == "1" {
		files = files[2:] // an idle cgroup has no weight
	}
	for _, file := range files {
		if value := m.read("cpu", file); value != "" {
			now = append(now, setting{pointer: "cpu", controller: "cpu", files: []string{file}, value: value})
		}
	}
	return now
}
