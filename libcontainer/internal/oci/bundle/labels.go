package bundle

import (
	"strings"
	"unicode"
)

// Unconfined is the AppArmor profile of a process that none confines. It is that word
// exactly: "unconfined_x" is a profile like others.
const Unconfined = "unconfined"

// maxLabel is how long a label may be, in bytes: what is written to a file in /proc/PID/attr
// is cut off after a page, and "exec " goes in front of a profile.
const maxLabel = 4096 - len("exec ") - 1

// labels checks what security modules get. Whether they know it shows later.
func (v *validator) labels() {
	if p := v.spec.Process; p != nil {
		v.label("process.apparmorProfile", p.ApparmorProfile)
		v.label("process.selinuxLabel", p.SelinuxLabel)
	}
	if l := v.spec.Linux; l != nil {
		v.label("linux.mountLabel", l.MountLabel)
	}
}

// label refuses what the kernel would take for something else: it drops space around a
// profile and takes a NUL for the end.
func (v *validator) label(pointer, label string) {
	switch {
	case len(label) > maxLabel:
		v.badProperty(pointer, "has %d bytes, the kernel takes at most %d", len(label), maxLabel)
	case strings.ContainsFunc(label, unicode.IsControl):
		v.bad(pointer, "%q has a control character in it", label)
	case strings.TrimSpace(label) != label:
		v.bad(pointer, "%q has space around it", label)
	}
}

// IsSELinuxOption reports whether a parameter of a file system is a label of SELinux, of
// which it takes only some at a time.
func IsSELinuxOption(key string) bool {
	switch key {
	case "context", "fscontext", "defcontext", "rootcontext":
		return true
	}
	return false
}
