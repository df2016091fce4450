package bundle

import (
	"strings"
	"unicode"
)

// Unconfined is the AppArmor profile of an unconfined process. Only this exact word has that
// meaning: "unconfined_x" is an ordinary profile.
const Unconfined = "unconfined"

// maxLabel is the maximum length of a label, in bytes. The kernel truncates what is written to a
// file in /proc/PID/attr at a page, and "exec " precedes a profile.
const maxLabel = 4096 - len("exec ") - 1

// labels checks the labels of security modules. Whether a module knows them shows only when they
// are set.
func (v *validator) labels() {
	if p := v.spec.Process; p != nil {
		v.label("process.apparmorProfile", p.ApparmorProfile)
		v.label("process.selinuxLabel", p.SelinuxLabel)
	}
	if l := v.spec.Linux; l != nil {
		v.label("linux.mountLabel", l.MountLabel)
	}
}

// label refuses a label that the kernel would read as another one: it strips space around a
// profile, and a NUL ends it.
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

// IsSELinuxOption reports whether a parameter of a file system is an SELinux label. Only some of
// these can be combined.
func IsSELinuxOption(key string) bool {
	switch key {
	case "context", "fscontext", "defcontext", "rootcontext":
		return true
	}
	return false
}
