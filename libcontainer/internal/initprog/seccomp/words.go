package seccomp

import (
	"errors"
	"slices"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The names of the specification and what they mean to the kernel. These are arrays and not maps,
// because package-level maps would be built at the start of every command.

var actions = [...]struct {
	name specs.LinuxSeccompAction
	// ret is SECCOMP_RET_*; the errno is added where there is one.
	ret   uint32
	errno bool
}{
	{specs.ActKill, unix.SECCOMP_RET_KILL_THREAD, false},
	{specs.ActKillProcess, unix.SECCOMP_RET_KILL_PROCESS, false},
	{specs.ActKillThread, unix.SECCOMP_RET_KILL_THREAD, false},
	{specs.ActTrap, unix.SECCOMP_RET_TRAP, false},
	{specs.ActErrno, unix.SECCOMP_RET_ERRNO, true},
	{specs.ActTrace, unix.SECCOMP_RET_TRACE, true},
	{specs.ActAllow, unix.SECCOMP_RET_ALLOW, false},
	{specs.ActLog, unix.SECCOMP_RET_LOG, false},
	{specs.ActNotify, unix.SECCOMP_RET_USER_NOTIF, false},
}

// MaxErrno is the largest errnoRet of SCMP_ACT_ERRNO; the kernel would reduce larger ones to it.
// MaxTrace is the largest one of SCMP_ACT_TRACE.
const (
	MaxErrno = 4095
	MaxTrace = 0xffff
)

// operator is a comparison.
type operator uint8

const (
	notEqual operator = iota
	less
	lessEqual
	equal
	greaterEqual
	greater
	maskedEqual
)

var operators = [...]struct {
	name specs.LinuxSeccompOperator
	op   operator
}{
	{specs.OpNotEqual, notEqual},
	{specs.OpLessThan, less},
	{specs.OpLessEqual, lessEqual},
	{specs.OpEqualTo, equal},
	{specs.OpGreaterEqual, greaterEqual},
	{specs.OpGreaterThan, greater},
	{specs.OpMaskedEqual, maskedEqual},
}

var flags = [...]struct {
	name specs.LinuxSeccompFlag
	bit  uint64
}{
	{"SECCOMP_FILTER_FLAG_TSYNC", unix.SECCOMP_FILTER_FLAG_TSYNC},
	{specs.LinuxSeccompFlagLog, unix.SECCOMP_FILTER_FLAG_LOG},
	{specs.LinuxSeccompFlagSpecAllow, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	{specs.LinuxSeccompFlagWaitKillableRecv, unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
}

// Actions returns the actions that a profile may have.
func Actions() []specs.LinuxSeccompAction {
	var list []specs.LinuxSeccompAction
	for _, a := range actions {
		list = append(list, a.name)
	}
	return list
}

// Operators returns the operators that a condition may have.
func Operators() []specs.LinuxSeccompOperator {
	var list []specs.LinuxSeccompOperator
	for _, o := range operators {
		list = append(list, o.name)
	}
	return list
}

// Architectures returns the architectures that a profile may list.
func Architectures() []specs.Arch {
	var list []specs.Arch
	for i := range arches {
		list = append(list, arches[i].name)
	}
	return list
}

// KnownFlags returns the flags that a profile may have.
func KnownFlags() []specs.LinuxSeccompFlag {
	var list []specs.LinuxSeccompFlag
	for _, f := range flags {
		list = append(list, f.name)
	}
	return list
}

// SupportedFlags returns those of [KnownFlags] that this kernel supports.
func SupportedFlags() []specs.LinuxSeccompFlag {
	var list []specs.LinuxSeccompFlag
	for _, f := range flags {
		bit := f.bit
		if bit == unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV {
			bit |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER // the kernel refuses it alone
		}
		if FlagsSupported(bit) {
			list = append(list, f.name)
		}
	}
	return list
}

// ActionSupported reports whether the kernel supports an action (seccomp(2),
// SECCOMP_GET_ACTION_AVAIL). It is false for an unknown name.
func ActionSupported(name specs.LinuxSeccompAction) bool {
	for _, a := range actions {
		if a.name == name {
			_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&a.ret)))
			return errno == 0
		}
	}
	return false
}

// FlagsSupported reports whether the kernel supports flags of seccomp(2).
func FlagsSupported(bits uint64) bool {
	// The kernel checks the flags before it reads the filter, so EFAULT means that the flags are
	// valid.
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(bits), 0)
	return errors.Is(errno, unix.EFAULT)
}

// IsAction reports whether a name is one of [Actions], and whether an errno goes with it.
func IsAction(name specs.LinuxSeccompAction) (ok, errno bool) {
	for _, a := range actions {
		if a.name == name {
			return true, a.errno
		}
	}
	return false, false
}

// IsOperator reports whether a name is one of [Operators].
func IsOperator(name specs.LinuxSeccompOperator) bool {
	return slices.ContainsFunc(operators[:], func(o struct {
		name specs.LinuxSeccompOperator
		op   operator
	}) bool {
		return o.name == name
	})
}

// IsArchitecture reports whether a name is one of [Architectures].
func IsArchitecture(name specs.Arch) bool { return archOf(name) != nil }

// IsFlag reports whether a name is one of [KnownFlags].
func IsFlag(name specs.LinuxSeccompFlag) bool {
	_, ok := flagBit(name)
	return ok
}

func flagBit(name specs.LinuxSeccompFlag) (bit uint64, ok bool) {
	for _, f := range flags {
		if f.name == name {
			return f.bit, true
		}
	}
	return 0, false
}

// actionRet returns the return value of a filter for an action. ok is false for an unknown
// action, and for an errno with an action that has none.
func actionRet(name specs.LinuxSeccompAction, errno *uint) (ret uint32, ok bool) {
	for _, a := range actions {
		if a.name != name {
			continue
		}
		switch {
		case !a.errno:
			return a.ret, errno == nil
		case errno == nil:
			return a.ret | uint32(unix.EPERM), true
		}
		return a.ret | uint32(*errno)&unix.SECCOMP_RET_DATA, *errno <= MaxTrace
	}
	return 0, false
}

func operatorOf(name specs.LinuxSeccompOperator) (op operator, ok bool) {
	for _, o := range operators {
		if o.name == name {
			return o.op, true
		}
	}
	return 0, false
}

// ActionName returns the action for the return value of a filter.
func ActionName(ret uint32) specs.LinuxSeccompAction {
	for _, a := range actions {
		if a.ret == ret&unix.SECCOMP_RET_ACTION_FULL {
			if a.name == specs.ActKill {
				return specs.ActKillThread
			}
			return a.name
		}
	}
	return ""
}
