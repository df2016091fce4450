// Package fault has errors with facts, so that code need not parse their texts: a code, the
// property that caused the failure, the system call, the path.
//
// The facts are added where they are known. An error that is wrapped on its way has the facts of
// all its parts: [Of] collects them.
package fault

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Facts are the known facts of an error. Unknown ones are empty.
type Facts struct {
	Code Code
	// Phase is the part of a command that failed, with the names of docs/design.md.
	Phase string
	// Op is the name of the failed system call, if it was one.
	Op    string
	Errno syscall.Errno
	// Property is the property of the configuration: mounts[2].source.
	Property string
	// HostPath and ContainerPath are the path concerned, as the host and as the container sees
	// it.
	HostPath, ContainerPath string
	// Hint is advice, which the text has in parentheses at its end.
	Hint string
}

// Knower is an error with facts.
type Knower interface {
	error
	Facts() Facts
}

// Error is an error with facts.
type Error struct {
	Known Facts
	Err   error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether the error has a code.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && c == e.Known.Code
}

// Facts implements [Knower].
func (e *Error) Facts() Facts { return e.Known }

// With adds facts to an error; nil stays nil.
func With(err error, f Facts) error {
	if err == nil {
		return nil
	}
	return &Error{f, err}
}

// New is errors.New with a code.
func New(c Code, text string) error { return &Error{Facts{Code: c}, errors.New(text)} }

// Errorf is fmt.Errorf with facts.
func (f Facts) Errorf(format string, args ...any) error {
	return &Error{f, fmt.Errorf(format, args...)}
}

// About is fmt.Errorf for an error about a property.
func About(property, format string, args ...any) error {
	return Facts{Property: property}.Errorf(format, args...)
}

// Errorf is fmt.Errorf with a code.
func (c Code) Errorf(format string, args ...any) error { return Facts{Code: c}.Errorf(format, args...) }

// Hinted adds a hint to an error and its text. An empty hint changes nothing.
func Hinted(err error, hint string) error {
	if err == nil || hint == "" {
		return err
	}
	return Facts{Hint: hint}.Errorf("%w (%s)", err, hint)
}

// Of collects the facts of an error and of all that it wraps. The facts of the outer error win,
// except for the phase, which the inner error knows better. Without a code, the code is derived
// from the other facts.
func Of(err error) Facts {
	var f Facts
	f.collect(err)
	if f.Code == "" {
		f.Code = f.code()
	}
	return f
}

func (f *Facts) collect(err error) {
	if k, ok := err.(Knower); ok {
		f.add(k.Facts())
	}
	switch e := err.(type) {
	case *os.PathError:
		f.add(Facts{Op: e.Op, HostPath: e.Path})
	case *os.LinkError:
		f.add(Facts{Op: e.Op, HostPath: e.New})
	case *os.SyscallError:
		f.add(Facts{Op: e.Syscall})
	case syscall.Errno:
		f.add(Facts{Errno: e})
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			f.collect(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			f.collect(inner)
		}
	}
}

// add adds facts that are not known yet.
func (f *Facts) add(more Facts) {
	if more.Phase != "" {
		f.Phase = more.Phase
	}
	// An interrupt explains all errors that it caused.
	if f.Code == "" || more.Code == Interrupted {
		f.Code = more.Code
	}
	f.Errno = cmp.Or(f.Errno, more.Errno)
	f.Op, f.Property, f.Hint = cmp.Or(f.Op, more.Op), cmp.Or(f.Property, more.Property), cmp.Or(f.Hint, more.Hint)
	f.HostPath, f.ContainerPath = cmp.Or(f.HostPath, more.HostPath), cmp.Or(f.ContainerPath, more.ContainerPath)
}
