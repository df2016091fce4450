package libcontainer

import (
	"errors"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/oci/jsonpos"
	"coracle/libcontainer/internal/state"
)

// Code says of an error what kind it is. Codes do not change, unlike the texts of errors.
// errors.Is finds the error of a code: errors.Is(err, libcontainer.CodeMountSourceMissing).
type Code = fault.Code

// The codes. What each means is told by [CodeMeanings].
const (
	CodeIDInvalid       = fault.IDInvalid
	CodeNotFound        = fault.NotFound
	CodeExists          = fault.Exists
	CodeNotRunning      = fault.NotRunning
	CodePaused          = fault.Paused
	CodeNotStopped      = fault.NotStopped
	CodeWrongStatus     = fault.WrongStatus
	CodeContainerLeft   = fault.ContainerLeft
	CodeBusy            = fault.Busy
	CodeStateUnreadable = fault.StateUnreadable
	CodeInterrupted     = fault.Interrupted

	CodeConfigUnreadable = fault.ConfigUnreadable
	CodeConfigInvalid    = fault.ConfigInvalid
	CodeTerminalMismatch = fault.TerminalMismatch

	CodeNotPermitted        = fault.NotPermitted
	CodeUserNamespaceNeeded = fault.UserNamespaceNeeded
	CodeMemoryExhausted     = fault.MemoryExhausted
	CodeOpenFilesExhausted  = fault.OpenFilesExhausted
	CodeProcessesExhausted  = fault.ProcessesExhausted
	CodeKeysExhausted       = fault.KeysExhausted

	CodeMountSourceMissing   = fault.MountSourceMissing
	CodeMountFailed          = fault.MountFailed
	CodeRootfsFailed         = fault.RootfsFailed
	CodeDeviceFailed         = fault.DeviceFailed
	CodeNamespaceFailed      = fault.NamespaceFailed
	CodeIDMappingFailed      = fault.IDMappingFailed
	CodeCgroupInUse          = fault.CgroupInUse
	CodeCgroupUnavailable    = fault.CgroupUnavailable
	CodeCgroupDriverMismatch = fault.CgroupDriverMismatch
	CodeCgroupFailed         = fault.CgroupFailed
	CodeSystemdFailed        = fault.SystemdFailed
	CodeRdtFailed            = fault.RdtFailed
	CodeNetDeviceFailed      = fault.NetDeviceFailed
	CodeSysctlFailed         = fault.SysctlFailed
	CodeSeccompFailed        = fault.SeccompFailed
	CodeLabelFailed          = fault.LabelFailed
	CodeHookTimeout          = fault.HookTimeout
	CodeHookFailed           = fault.HookFailed

	CodeCommandNotFound      = fault.CommandNotFound
	CodeCommandNotExecutable = fault.CommandNotExecutable
	CodeCwdFailed            = fault.CwdFailed
	CodeProcessFailed        = fault.ProcessFailed
	CodeInitDied             = fault.InitDied
	CodeInitSilent           = fault.InitSilent

	CodeFailed = fault.Failed
)

// CodeMeaning is a code with what it means, in words.
type CodeMeaning = fault.Meaning

// CodeMeanings returns all codes, in their order, with what each means.
func CodeMeanings() []CodeMeaning { return fault.Meanings() }

// Errors that callers tell apart with errors.Is. What else is known of an error is in its
// [Error].
var (
	// ErrNotExist: there is no container with this id.
	ErrNotExist = state.ErrNotExist
	// ErrExist: the id is in use.
	ErrExist = state.ErrExist
	// ErrNotRunning: the container has no process.
	ErrNotRunning = fault.New(fault.NotRunning, "container not running")
	// ErrPaused: the container is paused, and must not be.
	ErrPaused error = fault.Paused
	// ErrNotStopped: the container has to be stopped for it.
	ErrNotStopped error = fault.NotStopped
	// ErrWrongStatus: the container has another status than it takes, and none of the above.
	ErrWrongStatus error = fault.WrongStatus
)

// Error is what methods of this package return: the text of an error, which is one line, with
// what is known of it. What is not known is empty. It wraps what led to it.
type Error struct {
	Code Code
	// ID is the container.
	ID string
	// Phase is the part of the command in which it came up: that of create (prepare, reserve,
	// claim, compile, launch, follow, publish), hooks, or the name of the command.
	Phase string
	// Op is what failed: the name of a system call, as far as it was one.
	Op string
	// Errno is what the kernel said; 0 when it was not asked.
	Errno syscall.Errno
	// Property is the property of the configuration that asked for it, like
	// mounts[2].source, and Pointer the same as a JSON Pointer (RFC 6901).
	Property, Pointer string
	// HostPath and ContainerPath are what it was done to, as the host and as the container
	// sees it.
	HostPath, ContainerPath string
	// Hint is advice that the text has in parentheses at its end.
	Hint string

	err error
}

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// Is reports whether the error has a code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// explain makes the [Error] of a method of what has failed in it. phase is for errors that know
// none themselves.
func explain(err *error, id, phase string) {
	var done *Error
	if *err == nil || errors.As(*err, &done) {
		return
	}
	f := fault.Of(*err)
	if f.Phase == "" {
		f.Phase = phase
	}
	*err = &Error{
		Code: f.Code, ID: id, Phase: f.Phase, Op: f.Op, Errno: f.Errno, Property: f.Property, Pointer: jsonpos.Pointer(f.Property),
		HostPath: f.HostPath, ContainerPath: f.ContainerPath, Hint: f.Hint, err: *err,
	}
}

// statusCode is the code of an error about a container with a status that does not do.
func statusCode(s specs.ContainerState) Code {
	if s == StatusPaused {
		return fault.Paused
	}
	return fault.WrongStatus
}
