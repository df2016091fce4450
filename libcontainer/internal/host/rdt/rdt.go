// Package rdt puts containers into classes of service and monitoring groups of Intel Resource
// Director Technology, through the resctrl file system of the kernel (config-linux.md,
// "IntelRdt").
package rdt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/bundle"
)

const (
	usualRoot    = "/sys/fs/resctrl"
	resctrlMagic = 0x7655821
	monGroups    = "mon_groups"
	tasks        = "tasks"
	schemata     = "schemata"
	// maxFile is the size limit of a file in resctrl, in bytes.
	maxFile = 1 << 20
)

// Saved is the part of a Manager that has to survive the command.
type Saved struct {
	// Class is the directory of the class of service that the container is in.
	Class string `json:"class"`
	// Made reports whether the class was made for this container, and is removed with it.
	Made bool `json:"made,omitempty"`
	// Monitor is the directory of the monitoring group; empty when there is none.
	Monitor string `json:"monitor,omitempty"`
}

// Manager manages the groups of one container in resctrl.
type Manager struct {
	saved  Saved
	config specs.LinuxIntelRdt
	exists bool     // the class existed before
	made   []string // what this process has made, for Undo
	former []string // the former schemata of a class that existed before
	tree   tree
}

// tree is how directories are made and removed. resctrl creates and removes the files of a group
// by itself; a test replaces that.
type tree struct {
	root          string
	mkdir, remove func(string) error
}

func kernel(root string) tree {
	return tree{
		root:  root,
		mkdir: func(path string) error { return os.Mkdir(path, 0o755) }, remove: unix.Rmdir,
	}
}

// ErrNotMounted means that the host has no resctrl file system.
var ErrNotMounted = errors.New("no resctrl file system is mounted (with Intel RDT: mount -t resctrl resctrl " + usualRoot + ")")

// Root finds the resctrl file system of the host.
func Root() (string, error) {
	var st unix.Statfs_t
	if unix.Statfs(usualRoot, &st) == nil && st.Type == resctrlMagic {
		return usualRoot, nil
	}
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("resctrl"))
	if err != nil {
		return "", fmt.Errorf("resctrl: %w", err)
	}
	if len(mounts) == 0 {
		return "", ErrNotMounted
	}
	return mounts[0].Mountpoint, nil
}

// New chooses the groups of a container below the root of resctrl. It has no side effects.
func New(root, id string, config *specs.LinuxIntelRdt) (*Manager, error) {
	return newManager(kernel(root), id, config)
}

func newManager(t tree, id string, config *specs.LinuxIntelRdt) (*Manager, error) {
	m := &Manager{config: *config, tree: t}
	name := config.ClosID
	if name == "" || config.EnableMonitoring {
		if why := bundle.CheckResctrlName(id); why != "" {
			return nil, m.failure(fmt.Errorf("the id %q of the container cannot name a group: %s", id, why))
		}
	}
	if name == "" {
		name = id
	}
	m.saved.Class = filepath.Join(t.root, name)
	if config.EnableMonitoring {
		m.saved.Monitor = filepath.Join(m.saved.Class, monGroups, id)
	}
	switch _, err := os.Stat(filepath.Join(m.saved.Class, tasks)); {
	case err == nil:
		m.exists = true
	case !errors.Is(err, fs.ErrNotExist):
		return nil, m.failure(err)
	case config.ClosID != "" && len(m.Schemata()) == 0:
		return nil, m.failure(fmt.Errorf("there is no class of service %q (closID), and no schema to create it", config.ClosID))
	}
	if m.saved.Monitor != "" && unix.Access(m.saved.Monitor, unix.F_OK) == nil {
		return nil, m.failure(fmt.Errorf("the monitoring group %s exists already", m.saved.Monitor))
	}
	// "If closID is set […], the runtime MUST NOT remove the sub-directory".
	m.saved.Made = !m.exists && config.ClosID == ""
	return m, m.compare()
}

// Load makes a manager from what was saved.
func Load(s Saved) *Manager { return &Manager{saved: s, tree: kernel("")} }

// Saved returns what Load needs. It may be saved before anything exists.
func (m *Manager) Saved() *Saved { return &m.saved }

func (m *Manager) failure(err error) error {
	return fmt.Errorf("linux.intelRdt: %w", err)
}

// Schemata returns the lines to write to the schemata of the class, in order: "l3CacheSchema
// first and memBwSchema last", and schemata after these.
func (m *Manager) Schemata() []string {
	var lines []string
	for _, s := range []string{m.config.L3CacheSchema, m.config.MemBwSchema} {
		if s != "" {
			lines = append(lines, s)
		}
	}
	return append(lines, m.config.Schemata...)
}

// compare refuses a class that exists with other values: to change it would affect its other
// users.
func (m *Manager) compare() error {
	if !m.exists || m.config.L3CacheSchema == "" && m.config.MemBwSchema == "" {
		return nil
	}
	have, err := linux.ReadFollow(filepath.Join(m.saved.Class, schemata), maxFile)
	if err != nil {
		return m.failure(err)
	}
	for _, property := range []struct{ name, wanted string }{{"l3CacheSchema", m.config.L3CacheSchema}, {"memBwSchema", m.config.MemBwSchema}} {
		if property.wanted == "" {
			continue
		}
		difference, err := differs(property.wanted, string(have))
		if err != nil {
			return m.failure(fmt.Errorf("%s: %w", property.name, err))
		}
		if difference != "" {
			return m.failure(fmt.Errorf("the class of service %s does not have the %s %q: %s", m.saved.Class, property.name, property.wanted, difference))
		}
	}
	return nil
}

// Create makes the groups that are missing and writes the schemata.
func (m *Manager) Create() error {
	if !m.exists {
		if err := m.mkdir(m.saved.Class, "a class of service"); err != nil {
			return err
		}
	}
	m.remember()
	for _, line := range m.Schemata() {
		if err := m.write(filepath.Join(m.saved.Class, schemata), line); err != nil {
			return m.failure(fmt.Errorf("set the schema %q: %w", line, err))
		}
	}
	if m.saved.Monitor != "" {
		return m.mkdir(m.saved.Monitor, "a monitoring group")
	}
	return nil
}

func (m *Manager) mkdir(path, what string) error {
	err := m.tree.mkdir(path)
	if err == nil {
		m.made = append(m.made, path)
		return nil
	}
	hint := ""
	if errors.Is(err, unix.ENOSPC) {
		hint = " (the processor has no more of them)"
	}
	return m.failure(fmt.Errorf("make %s: %w%s%s", what, err, hint, m.status()))
}

// write writes one line. The kernel expects one line in each write.
func (m *Manager) write(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("%w%s", err, m.status())
	}
	return nil
}

// status returns the kernel's message about the last command.
func (m *Manager) status() string {
	if m.tree.root == "" {
		return ""
	}
	data, err := linux.ReadFollow(filepath.Join(m.tree.root, "info", "last_cmd_status"), maxFile)
	text := strings.TrimSpace(string(data))
	if err != nil || text == "" || text == "ok" {
		return ""
	}
	return ": " + strings.ReplaceAll(text, "\n", " | ")
}

// Add puts a process into the groups. Its future children are in them, too.
func (m *Manager) Add(pid int) error {
	dirs := []string{m.saved.Class}
	if m.saved.Monitor != "" {
		// A monitoring group takes only processes of its class.
		dirs = append(dirs, m.saved.Monitor)
	}
	for _, dir := range dirs {
		if err := m.write(filepath.Join(dir, tasks), strconv.Itoa(pid)); err != nil {
			return m.failure(fmt.Errorf("put the process into %s: %w", dir, err))
		}
	}
	return nil
}

// remember keeps the values of a class that existed before.
func (m *Manager) remember() {
	if !m.exists {
		return
	}
	have, err := linux.ReadFollow(filepath.Join(m.saved.Class, schemata), maxFile)
	if err != nil {
		return
	}
	for _, line := range m.Schemata() {
		resource, _, _ := strings.Cut(line, ":")
		for old := range strings.Lines(string(have)) {
			if name, _, ok := strings.Cut(old, ":"); ok && strings.TrimSpace(name) == strings.TrimSpace(resource) {
				m.former = append(m.former, strings.TrimSpace(old))
			}
		}
	}
}

// Undo reverts Create after a failed creation in this process. It removes every group that Create
// made, also a class with a closID, and restores the former values of a class that existed
// before. What other processes made meanwhile stays.
func (m *Manager) Undo() error {
	for _, line := range m.former {
		_ = m.write(filepath.Join(m.saved.Class, schemata), line)
	}
	slices.Reverse(m.made) // the monitoring group is below the class
	return m.remove(m.made)
}

// Remove removes the groups that were made for the container. It succeeds when there are none.
func (m *Manager) Remove() error {
	var dirs []string
	if m.saved.Monitor != "" {
		dirs = append(dirs, m.saved.Monitor)
	}
	if m.saved.Made {
		dirs = append(dirs, m.saved.Class)
	}
	return m.remove(dirs)
}

func (m *Manager) remove(dirs []string) error {
	for _, dir := range dirs {
		if err := m.tree.remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return m.failure(fmt.Errorf("remove %s: %w", dir, err))
		}
	}
	return nil
}
