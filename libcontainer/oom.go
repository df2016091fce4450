package libcontainer

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/initprog/launch"
)

// errDied is wrapped by errors about an init that died for an unknown reason.
var errDied = fault.New(fault.InitDied, "it died")

// asShortage turns a failure into one that names the lack of descriptors or memory, if that was
// its cause. Such a lack is visible only as a process that dies or a system call that fails,
// anywhere. doing is what was being done.
func asShortage(group *cgroup.Manager, doing string, err error) error {
	if errors.Is(err, unix.EMFILE) {
		return fault.Hinted(fault.With(err, fault.Facts{Code: fault.OpenFilesExhausted}), "the limit of open files, RLIMIT_NOFILE, is reached: ulimit -n")
	}
	var death *launch.DeathError
	died := errors.Is(err, errDied) || errors.As(err, &death) && death.Killed()
	if !died && death == nil && !errors.Is(err, unix.ENOMEM) {
		return err
	}
	s := group.Shortage()
	switch {
	case s == nil:
		return err
	case s.Own && s.Limit == 0:
		// Without any memory a process may fail before the kernel has to kill it.
	case died && s.Killed == 0, !died && death != nil:
		return err
	}
	f := fault.Facts{Code: fault.MemoryExhausted}
	if s.Own {
		f.Property = "linux.resources.memory.limit"
	}
	return fault.With(&shortageError{fmt.Sprintf("out of memory while %s: %s", doing, describe(s)), err}, f)
}

// shortageError has the text about the lack of memory, and wraps the failure that it caused.
type shortageError struct {
	text    string
	failure error
}

func (e *shortageError) Error() string { return e.text }
func (e *shortageError) Unwrap() error { return e.failure }

func describe(s *cgroup.Shortage) string {
	if s.Own && s.Limit == 0 {
		return "the container may not use a single page (linux.resources.memory.limit)"
	}
	if !s.Own {
		return "the host or a parent cgroup ran out of memory"
	}
	return fmt.Sprintf("limit %d bytes (linux.resources.memory.limit), peak %d bytes", s.Limit, s.Peak)
}

// KilledForMemory says how memory ran out when a process of the container was killed for lack
// of it; it is empty otherwise. The exit status of such a process could have come from anything.
func (c *Container) KilledForMemory() string {
	if c.record == nil {
		return ""
	}
	if s := cgroup.Load(c.record.Cgroup).Shortage(); s != nil && s.Killed > 0 {
		return describe(s)
	}
	return ""
}
