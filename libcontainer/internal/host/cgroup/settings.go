package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/bundle"
)

// resourcesPointer is the parent of the properties that this package applies.
const resourcesPointer = "linux.resources"

// setting is a value for a file of the cgroup.
type setting struct {
	// pointer is the property that sets the value, below linux.resources.
	pointer    string
	controller string
	// files are the possible names of the file; the first one that exists is used.
	files []string
	value string
	// values has the value for each of the files if they differ.
	values []string
	// needless reports whether the value holds anyway when the file does not exist.
	needless bool
	// restore turns the file's content into the value to write to restore it; nil when they are
	// the same.
	restore func(content string) string
	// resets is a file that the kernel resets to its default when this one becomes 1.
	resets string
	// reason finds out why the kernel refuses the value; nil when there is nothing to check.
	reason reason
}

// plan is linux.resources as a list of settings, in the order of writing.
//
// It is made before anything is done, so that an impossible limit is an error without a trace.
// What the host cannot do is an error, too: a limit is never silently left out.
type plan struct {
	// v2 reports whether the host has only the unified hierarchy.
	v2 bool
	// unified reports whether a controller is in the unified hierarchy.
	unified func(controller string) bool
	// current reads a file of the cgroup; "" when there is none, or no cgroup yet.
	current func(controller, file string) string
	// has reports whether the cgroups of a v1 controller have a file; nil means no.
	has func(controller, file string) bool
	// fresh reports whether the cgroup is new, with the kernel's default values.
	fresh bool

	settings []setting
	warnings []bundle.Problem // properties without effect
	problems []bundle.Problem
	err      error // the first problem
}

// add appends a setting, and returns it so that the caller can refine it.
func (p *plan) add(pointer, controller, value string, files ...string) *setting {
	p.settings = append(p.settings, setting{pointer: pointer, controller: controller, files: files, value: value})
	return &p.settings[len(p.settings)-1]
}

func (p *plan) hasFile(controller, file string) bool { return p.has != nil && p.has(controller, file) }

// fail adds a problem with a property below linux.resources, see [bundle.About].
func (p *plan) fail(property, format string, args ...any) {
	p.problem(bundle.About(resourcesPointer+"."+property, format, args...))
}

// failProperty is fail for a text that continues the property's name, see [bundle.Predicate].
func (p *plan) failProperty(property, format string, args ...any) {
	p.problem(bundle.Predicate(resourcesPointer+"."+property, format, args...))
}

func (p *plan) problem(b bundle.Problem) {
	p.problems = append(p.problems, b)
	p.err = p.problems[0].Facts().Errorf("%s", p.problems[0].Sentence())
}

// warn adds a warning about a property below linux.resources, see [bundle.About].
func (p *plan) warn(property, format string, args ...any) {
	p.warnings = append(p.warnings, bundle.About(resourcesPointer+"."+property, format, args...))
}

// warnProperty is warn for a text that continues the property's name, see [bundle.Predicate].
func (p *plan) warnProperty(property, format string, args ...any) {
	p.warnings = append(p.warnings, bundle.Predicate(resourcesPointer+"."+property, format, args...))
}

// resources plans everything but the devices.
func (p *plan) resources(r *specs.LinuxResources) {
	p.memory(r.Memory)
	p.cpu(r.CPU)
	p.pids(r.Pids)
	p.blockIO(r.BlockIO)
	p.hugepages(r.HugepageLimits)
	p.network(r.Network)
	p.rdma(r.Rdma)
	p.unifiedFiles(r.Unified) // last, because it is closest to what the kernel gets
	p.overridden()
}

// overridden warns of settings that a later setting of another property overwrites.
func (p *plan) overridden() {
	type place struct{ controller, file, key string }
	last := make(map[place]*setting, len(p.settings))
	for i := range p.settings {
		s := &p.settings[i]
		controller := s.controller
		if p.v2 {
			controller = "" // all files are in one directory
		}
		for _, file := range s.files {
			at := place{controller, file, keyOf(file, s.value)}
			if earlier := last[at]; earlier != nil && earlier.pointer != s.pointer && earlier.value != s.value {
				p.warnProperty(earlier.pointer, "has no effect: %s.%s writes %q to %s after it", resourcesPointer, s.pointer, s.value, file)
			}
			last[at] = s
		}
	}
}

// keyOf returns the key of a value in a file that has a value for each device: the device, with
// the name of the parameter if there are several.
func keyOf(file, value string) string {
	key, rest, ok := strings.Cut(value, " ")
	if !ok || !strings.Contains(key, ":") && file != "net_prio.ifpriomap" && file != "rdma.max" {
		return ""
	}
	if name, _, ok := strings.Cut(rest, "="); ok {
		key += " " + name
	}
	return key
}

// unifiedName returns the name of a controller in the unified hierarchy.
func unifiedName(controller string) string {
	if controller == "blkio" {
		return "io"
	}
	return controller
}

// needed returns the controllers of the unified hierarchy that the settings need.
func (p *plan) needed() []string {
	var names []string
	for _, s := range p.settings {
		if name := unifiedName(s.controller); s.controller != unifiedKey && p.unified(s.controller) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// undo restores a former value.
type undo struct {
	path, value string
	// instead is the closest possible value if the kernel does not accept the former one; "" when
	// there is none.
	instead string
}

// apply writes the settings. With remember it returns how to restore the old values, also when it
// fails in the middle.
//
// The values of a controller may depend on each other: the kernel accepts a period only if the
// quota fits, and a limit of memory and swap only above the limit of memory. A refused value is
// tried again after another value of the same controller has changed.
func (m *Manager) apply(settings []setting, remember bool) (undos []undo, err error) {
	pending := slices.Clone(settings)
	for len(pending) > 0 {
		controller := pending[0].controller
		var failed []setting
		var first error
		progress := false
		for _, s := range pending {
			if s.controller != controller {
				failed = append(failed, s)
				continue
			}
			u, err := m.write(&s, remember)
			undos = append(undos, u...)
			switch {
			case err == nil:
				progress = true
			case first == nil:
				first = err
				fallthrough
			default:
				failed = append(failed, s)
			}
		}
		if first != nil && !progress {
			return undos, first
		}
		pending = failed
	}
	return undos, nil
}

// write writes one setting.
func (m *Manager) write(s *setting, remember bool) ([]undo, error) {
	dir := m.dirOf(s.controller)
	if dir == "" {
		if s.needless {
			return nil, nil
		}
		return nil, fault.About(resourcesPointer+"."+s.pointer, "%s.%s: this host has no cgroup controller %s", resourcesPointer, s.pointer, s.controller)
	}
	for i, file := range s.files {
		path, value := filepath.Join(dir, file), s.value
		if s.values != nil {
			value = s.values[i]
		}
		var undos []undo
		if remember {
			old, err := linux.ReadFollow(path, 1<<20)
			if err == nil {
				if s.resets != "" && strings.TrimSpace(string(old)) == "0" {
					undos = append(undos, undo{path: filepath.Join(dir, s.resets), value: m.read(s.controller, s.resets)})
				}
				u := undo{path: path, value: s.oldValue(string(old))}
				if u.value == "\n" {
					// A cpuset of v2 with processes cannot become empty again.
					effective, _ := linux.ReadFollow(path+".effective", 1<<16)
					u.instead = strings.TrimSpace(string(effective))
				}
				undos = append(undos, u)
			}
		}
		err := linux.Write(path, value)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, m.refused(s, path, value, err)
		}
		return undos, nil
	}
	if s.needless {
		return nil, nil
	}
	return nil, m.missing(s, dir)
}

func (s *setting) oldValue(content string) string {
	if s.restore != nil {
		return s.restore(content)
	}
	if content = strings.TrimSpace(content); content == "" {
		return "\n" // writing an empty text would have no effect
	}
	return content
}

// refused describes why the kernel refuses a value.
func (m *Manager) refused(s *setting, path, value string, err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	hint := ""
	if s.reason != nil {
		hint = s.reason(filepath.Dir(path), value)
	}
	switch {
	case errors.Is(err, unix.EBUSY) && s.controller == "memory":
		if usage := m.read("memory", "memory.usage_in_bytes"); usage != "" {
			hint = fmt.Sprintf("the container uses %s bytes, and has used %s", usage, m.read("memory", "memory.max_usage_in_bytes"))
		}
	case errors.Is(err, unix.EINVAL) && strings.HasSuffix(path, "/memory.limit_in_bytes"):
		both, ok := number(filepath.Dir(path), "memory.memsw.limit_in_bytes")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && ok && (n < 0 || n > both) {
			hint = fmt.Sprintf("the limit of memory and swap together is %d: memory.swap has to be raised with it", both)
		}
	case errors.Is(err, unix.EBUSY) && s.controller == "cpuset":
		if below, has := widerBelow(filepath.Dir(path), filepath.Base(path), value); below != "" {
			hint = fmt.Sprintf("the cgroup %s below that of the container has %s", below, has)
		}
	case errors.Is(err, unix.EROFS):
		hint = "the cgroups are mounted read-only"
	}
	return fault.Facts{Op: "write", Property: resourcesPointer + "." + s.pointer, HostPath: path, Hint: hint}.Errorf("%s.%s: write %q to %s: %w%s", resourcesPointer, s.pointer, value, path, err, inBrackets(hint))
}

// inBrackets returns a hint in parentheses, if there is one.
func inBrackets(hint string) string {
	if hint == "" {
		return ""
	}
	return " (" + hint + ")"
}

// missing returns an error that says why a file does not exist.
func (m *Manager) missing(s *setting, dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return fault.About(resourcesPointer+"."+s.pointer, "%s.%s: the cgroup %s has been removed by somebody else", resourcesPointer, s.pointer, dir)
	}
	controller, parameter, isParameter := strings.Cut(s.files[0], ".")
	switch {
	case s.controller == unifiedKey && !isParameter:
		return fault.About(resourcesPointer+"."+s.pointer, "%s.%s: a key has the form CONTROLLER.PARAMETER, like memory.high", resourcesPointer, s.pointer)
	case (s.controller == unifiedKey || m.inUnified(s.controller)) && controller != "cgroup" && !slices.Contains(strings.Fields(m.read(unifiedKey, "cgroup.controllers")), controller):
		return fault.About(resourcesPointer+"."+s.pointer, "%s.%s: the cgroup controller %s is not available, or cannot be enabled, in %s", resourcesPointer, s.pointer, controller, dir)
	case s.controller == unifiedKey:
		return fault.About(resourcesPointer+"."+s.pointer, "%s.%s: the controller %s of this kernel has no parameter %s", resourcesPointer, s.pointer, controller, parameter)
	}
	return fault.About(resourcesPointer+"."+s.pointer, "%s.%s: this kernel has no %s (%s)", resourcesPointer, s.pointer, strings.Join(s.files, " and no "), dir)
}

// dirOf returns the directory with the files of a controller; "" when there is none.
func (m *Manager) dirOf(controller string) string {
	if m.inUnified(controller) {
		return m.saved.Paths[unifiedKey]
	}
	return m.saved.Paths[controller]
}

// inUnified reports whether a controller is in the unified hierarchy. On a hybrid host each
// controller is either in it or in one of v1.
func (m *Manager) inUnified(controller string) bool {
	if m.saved.Unified || controller == unifiedKey {
		return true
	}
	if m.saved.Paths[controller] != "" || m.saved.Paths[unifiedKey] == "" {
		return false
	}
	available, err := linux.ReadFollow(filepath.Join(hybrid, "cgroup.controllers"), 1<<12)
	return err == nil && slices.Contains(strings.Fields(string(available)), unifiedName(controller))
}

// read reads a small file of the cgroup and trims blanks; "" on errors.
func (m *Manager) read(controller, file string) string {
	dir := m.dirOf(controller)
	if dir == "" {
		return ""
	}
	data, err := linux.ReadFollow(filepath.Join(dir, file), 1<<20)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// keyed returns a restore function for a file with a line for each key: it returns the line of
// this key, or none if there is no such line.
func keyed(key, none string) func(string) string {
	return func(content string) string {
		for line := range strings.Lines(content) {
			if strings.HasPrefix(line, key+" ") {
				return strings.TrimSpace(line)
			}
		}
		return none
	}
}

// fieldOf returns the value of a key in a file of lines "key value".
func fieldOf(content, key string) string {
	for line := range strings.Lines(content) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k == key {
			return v
		}
	}
	return ""
}
