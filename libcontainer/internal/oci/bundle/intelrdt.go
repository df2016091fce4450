package bundle

import (
	"fmt"
	"strings"
)

// CheckResctrlName returns what is wrong with the name of a group in resctrl; it is empty for a
// valid name.
func CheckResctrlName(name string) string {
	switch {
	case name == "." || name == "..":
		return "it is a directory of every file system"
	case strings.ContainsAny(name, "/\n\x00"):
		return "it has a slash, a line break or NUL in it"
	case name == "info", name == "mon_groups", name == "mon_data": // made by the kernel in the root of resctrl
		return "resctrl has a directory with this name"
	case len(name) > 255:
		return "it has more than 255 characters"
	}
	return ""
}

// intelRdt checks linux.intelRdt (config-linux.md#intelrdt). The kernel checks the values of
// schemata.
func (v *validator) intelRdt() {
	r := v.spec.Linux.IntelRdt
	if r == nil {
		return
	}
	const pointer = "linux.intelRdt"
	if r.ClosID != "" && r.ClosID != "/" {
		if why := CheckResctrlName(r.ClosID); why != "" {
			v.bad(pointer+".closID", "%q cannot be a class of service: %s", r.ClosID, why)
		}
	}
	line := func(pointer, value string) {
		if strings.ContainsAny(value, "\n\x00") {
			v.badProperty(pointer, "has a line break or NUL in it")
		}
	}
	line(pointer+".l3CacheSchema", r.L3CacheSchema)
	if s := r.L3CacheSchema; s != "" && !strings.HasPrefix(s, "L3:") {
		v.warn(pointer+".l3CacheSchema", "%q does not start with L3:", s)
	}
	line(pointer+".memBwSchema", r.MemBwSchema)
	if s := r.MemBwSchema; s != "" && !strings.HasPrefix(s, "MB:") {
		v.bad(pointer+".memBwSchema", "%q does not start with MB:", s)
	}
	for i, s := range r.Schemata {
		line(fmt.Sprintf("%s.schemata[%d]", pointer, i), s)
	}
}
