package bundle

import (
	"fmt"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/initprog/seccomp"
)

// seccomp checks a profile (config-linux.md#seccomp). It does not check the names of system
// calls, because profiles name calls of kernels that are newer than this runtime.
func (v *validator) seccomp(s *specs.LinuxSeccomp) {
	const p = "linux.seccomp"
	v.seccompAction(p+".defaultAction", s.DefaultAction, p+".defaultErrnoRet", s.DefaultErrnoRet)
	for i, a := range s.Architectures {
		if !seccomp.IsArchitecture(a) {
			v.bad(fmt.Sprintf("%s.architectures[%d]", p, i), "%q is not one of %s", a, list(seccomp.Architectures()))
		}
	}
	for i, f := range s.Flags {
		if !seccomp.IsFlag(f) {
			v.bad(fmt.Sprintf("%s.flags[%d]", p, i), "%q is not one of %s", f, list(seccomp.KnownFlags()))
		}
	}
	notify := s.DefaultAction == specs.ActNotify
	for i := range s.Syscalls {
		c := &s.Syscalls[i]
		at := fmt.Sprintf("%s.syscalls[%d]", p, i)
		notify = notify || c.Action == specs.ActNotify
		v.seccompAction(at+".action", c.Action, at+".errnoRet", c.ErrnoRet)
		if len(c.Names) == 0 {
			v.badProperty(at+".names", "is missing or empty; it must name at least one system call")
		}
		for j, name := range c.Names {
			if name == "" {
				v.badProperty(fmt.Sprintf("%s.names[%d]", at, j), "is empty; it must be the name of a system call")
			}
		}
		for j, a := range c.Args {
			v.seccompArg(fmt.Sprintf("%s.args[%d]", at, j), a)
		}
	}
	v.seccompListener(s, notify)
}

func (v *validator) seccompAction(pointer string, action specs.LinuxSeccompAction, errnoPointer string, errno *uint) {
	ok, takes := seccomp.IsAction(action)
	switch {
	case action == "":
		v.badProperty(pointer, "is missing; it is one of %s", list(seccomp.Actions()))
	case !ok:
		v.bad(pointer, "%q is not one of %s", action, list(seccomp.Actions()))
	case errno == nil:
	case !takes:
		v.bad(errnoPointer, "%s returns no error; only %s and %s do", action, specs.ActErrno, specs.ActTrace)
	case action == specs.ActErrno && *errno > seccomp.MaxErrno:
		v.bad(errnoPointer, "%d is not an error number (0 to %d)", *errno, seccomp.MaxErrno)
	case *errno > seccomp.MaxTrace:
		v.bad(errnoPointer, "%d is out of range (0 to %d)", *errno, seccomp.MaxTrace)
	}
}

func (v *validator) seccompArg(pointer string, a specs.LinuxSeccompArg) {
	switch {
	case a.Op == "":
		v.badProperty(pointer+".op", "is missing; it is one of %s", list(seccomp.Operators()))
	case !seccomp.IsOperator(a.Op):
		v.bad(pointer+".op", "%q is not one of %s", a.Op, list(seccomp.Operators()))
	case a.Op != specs.OpMaskedEqual && a.ValueTwo != 0:
		v.warnProperty(pointer+".valueTwo", "is only for %s; it is ignored", specs.OpMaskedEqual)
	case a.Op == specs.OpMaskedEqual && a.ValueTwo&^a.Value != 0:
		v.warn(pointer+".valueTwo", "%#x has bits that the mask in value, %#x, does not have; they are ignored", a.ValueTwo, a.Value)
	}
	if a.Index > 5 {
		v.bad(pointer+".index", "%d is not the index of an argument (0 to 5)", a.Index)
	}
}

func (v *validator) seccompListener(s *specs.LinuxSeccomp, notify bool) {
	const p = "linux.seccomp.listenerPath"
	switch {
	case s.ListenerPath == "" && s.ListenerMetadata != "":
		v.badProperty("linux.seccomp.listenerMetadata", "needs linux.seccomp.listenerPath")
	case s.ListenerPath == "" && notify:
		v.badProperty(p, "is missing; %s needs the socket of an agent", specs.ActNotify)
	case s.ListenerPath != "" && (!path.IsAbs(s.ListenerPath) || strings.ContainsRune(s.ListenerPath, 0)):
		v.bad(p, "%q is not an absolute path", s.ListenerPath)
	}
	for i, f := range s.Flags {
		if f == specs.LinuxSeccompFlagWaitKillableRecv && !notify {
			v.warn(fmt.Sprintf("linux.seccomp.flags[%d]", i), "does nothing without %s", specs.ActNotify)
		}
	}
}

// list joins names for an error text.
func list[T ~string](names []T) string {
	text := make([]string, len(names))
	for i, n := range names {
		text[i] = string(n)
	}
	return strings.Join(text, ", ")
}
