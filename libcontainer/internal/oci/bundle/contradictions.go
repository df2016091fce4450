package bundle

import (
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// contradictions finds properties that contradict each other. It is a problem when the
// specification does not say which one wins, and a warning when it does.
func (v *validator) contradictions() {
	if s := v.spec; s.Process != nil && s.Process.Scheduler != nil {
		v.niceWithoutEffect(s.Process.Scheduler)
	}
	if v.spec.Linux == nil {
		return
	}
	v.sameDevices()
	v.protectedMounts()
	if r := v.spec.Linux.IntelRdt; r != nil {
		v.sameSchemata(r)
	}
}

func (v *validator) niceWithoutEffect(s *specs.Scheduler) {
	switch s.Policy {
	case specs.SchedFIFO, specs.SchedRR, specs.SchedDeadline:
		if s.Nice != 0 {
			v.warnProperty("process.scheduler.nice", "has no effect with %s", s.Policy)
		}
	}
}

// sameDevices finds devices with one path.
func (v *validator) sameDevices() {
	devices := v.spec.Linux.Devices
	if len(devices) < 2 {
		return
	}
	number := func(d specs.LinuxDevice) string {
		switch d.Type {
		case "p":
			return "p"
		case "u":
			d.Type = "c"
		}
		return fmt.Sprintf("%s %d:%d", d.Type, d.Major, d.Minor)
	}
	first := make(map[string]int, len(devices))
	for i, d := range devices {
		at := path.Clean(d.Path)
		j, dup := first[at]
		pointer := fmt.Sprintf("linux.devices[%d].path", i)
		switch {
		case !dup:
			first[at] = i
		case number(d) != number(devices[j]):
			v.bad(pointer, "%q is the path of linux.devices[%d], which is another device", at, j)
		default:
			v.warn(pointer, "%q is the path of linux.devices[%d] already, whose mode and owner count", at, j)
		}
	}
}

// protectedMounts finds mounts that a masked path hides, and mounts with the option rw that a
// read-only path makes read-only.
func (v *validator) protectedMounts() {
	l := v.spec.Linux
	masked, readonly := indexes(l.MaskedPaths), indexes(l.ReadonlyPaths)
	for i, m := range v.spec.Mounts {
		at := path.Clean("/" + m.Destination)
		if len(at) >= unix.PathMax {
			continue // refused, as in hiddenMounts
		}
		for p := at; ; p = path.Dir(p) {
			if j, ok := masked[p]; ok {
				v.warn(fmt.Sprintf("linux.maskedPaths[%d]", j), "%q hides mounts[%d] at %q", l.MaskedPaths[j], i, at)
			}
			if p == "/" {
				break
			}
		}
		if j, ok := readonly[at]; ok && slices.Contains(m.Options, "rw") {
			v.warn(fmt.Sprintf("linux.readonlyPaths[%d]", j), `%q makes mounts[%d] read-only, whose options have "rw"`, l.ReadonlyPaths[j], i)
		}
	}
}

// indexes returns the first index of each path, cleaned, in a list.
func indexes(paths []string) map[string]int {
	index := make(map[string]int, len(paths))
	for i, p := range slices.Backward(paths) {
		index[path.Clean(p)] = i
	}
	return index
}

// sameSchemata finds resources that two properties set. schemata is written last, so it wins.
func (v *validator) sameSchemata(r *specs.LinuxIntelRdt) {
	for _, older := range []struct{ name, schema, resource string }{{"l3CacheSchema", r.L3CacheSchema, "L3:"}, {"memBwSchema", r.MemBwSchema, "MB:"}} {
		if older.schema == "" {
			continue
		}
		if i := slices.IndexFunc(r.Schemata, func(s string) bool { return strings.HasPrefix(s, older.resource) }); i >= 0 {
			v.warnProperty("linux.intelRdt."+older.name, "is overridden by linux.intelRdt.schemata[%d]", i)
		}
	}
}

// hiddenMounts finds mounts that a later one hides. It compares paths only: symbolic links in an
// image may hide further mounts.
func hiddenMounts(mounts []specs.Mount) (warnings []Problem) {
	// A path that is too long is refused, and to walk up it would take the square of its length.
	covers := func(m specs.Mount) bool {
		return !slices.Contains(m.Options, "remount") && m.Destination != "" && len(m.Destination) < unix.PathMax
	}
	later := make(map[string]int) // the first of those that come later, by destination
	for i, m := range slices.Backward(mounts) {
		if !covers(m) {
			continue
		}
		at := path.Clean("/" + m.Destination)
		by := -1
		for p := at; ; p = path.Dir(p) {
			if j, ok := later[p]; ok && (by < 0 || j < by) {
				by = j
			}
			if p == "/" {
				break
			}
		}
		if by >= 0 {
			warnings = append(warnings, Predicate(fmt.Sprintf("mounts[%d]", i), "is hidden by mounts[%d] at %q, which comes later", by, path.Clean("/"+mounts[by].Destination)))
		}
		later[at] = i
	}
	slices.Reverse(warnings)
	return warnings
}
