package libcontainer

import (
	"errors"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/oci/jsonpos"
	"coracle/libcontainer/internal/state"
)

// Code is the kind of an error. Codes are stable, unlike the texts of errors. errors.Is finds
// them: errors.Is(err, libcontainer.CodeMountSourceMissing).
type Code = fault.Code

// The codes. [CodeMeanings] has their meanings.
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
	CodeSocketFailed     = fault.SocketFailed

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

// CodeMeaning is a code with its meaning.
type CodeMeaning = fault.Meaning

// CodeMeanings returns all codes in order, with their meanings.
func CodeMeanings() []CodeMeaning { return fault.Meanings() }

// Errors for errors.Is. Their [Error] has further details.
var (
	// ErrNotExist: there is no container with this id.
	ErrNotExist = state.ErrNotExist
	// ErrExist: the id is in use.
	ErrExist = state.ErrExist
	// ErrNotRunning: the container has no process.
	ErrNotRunning = fault.New(fault.NotRunning, "container not running")
	// ErrPaused: the container is paused, and must not be.
	ErrPaused error = fault.Paused
	// ErrNotStopped: the operation needs a stopped container.
	ErrNotStopped error = fault.NotStopped
	// ErrWrongStatus: the operation is impossible with the container's status, and none of the
	// above applies.
	ErrWrongStatus error = fault.WrongStatus
)

// Error is the error of methods of this package: a text of one line, and details. Unknown details
// are empty. It wraps its cause.
type Error struct {
	Code Code
	// ID is the container.
	ID string
	// Phase is the part of the command that failed: a phase of create (prepare, reserve, claim,
	// compile, launch, follow, publish), hooks, or the name of the command.
	Phase string
	// Op is the name of the failed system call, if it was one.
	Op string
	// Errno is the kernel's error; 0 when there was none.
	Errno syscall.Errno
	// Property is the property of the configuration that caused it, like mounts[2].source, and
	// Pointer is the same as a JSON Pointer (RFC 6901).
	Property, Pointer string
	// HostPath and ContainerPath are the path concerned, as the host and as the container sees
	// it.
	HostPath, ContainerPath string
	// Hint is advice, which the text has in parentheses at its end.
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

// explain turns the error of a method into an [Error]. phase is for errors without a phase.
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

// statusCode returns the code of an error about a container with the wrong status.
func statusCode(s specs.ContainerState) Code {
	if s == StatusPaused {
		return fault.Paused
	}
	return fault.WrongStatus
}
