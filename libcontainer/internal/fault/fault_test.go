package fault

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOf(t *testing.T) {
	missing := &os.PathError{Op: "open", Path: "/a", Err: unix.ENOENT}
	for name, c := range map[string]struct {
		err  error
		want Facts
	}{
		"nothing is known":           {errors.New("x"), Facts{Code: Failed}},
		"of the system":              {fmt.Errorf("x: %w", missing), Facts{Code: Failed, Op: "open", Errno: unix.ENOENT, HostPath: "/a"}},
		"what wraps knows better":    {Facts{Op: "take", Property: "mounts[1].source"}.Errorf("x: %w", missing), Facts{Code: MountSourceMissing, Op: "take", Errno: unix.ENOENT, Property: "mounts[1].source", HostPath: "/a"}},
		"but for the phase":          {With(With(missing, Facts{Phase: "hooks"}), Facts{Phase: "follow"}), Facts{Code: Failed, Phase: "hooks", Op: "open", Errno: unix.ENOENT, HostPath: "/a"}},
		"and for an interruption":    {With(fmt.Errorf("x: %w", New(Interrupted, "y")), Facts{Code: HookFailed}), Facts{Code: Interrupted}},
		"of several":                 {errors.Join(errors.New("x"), missing), Facts{Code: Failed, Op: "open", Errno: unix.ENOENT, HostPath: "/a"}},
		"a property":                 {About("linux.seccomp.flags[0]", "x"), Facts{Code: SeccompFailed, Property: "linux.seccomp.flags[0]"}},
		"a property with a like one": {About("rootless", "x"), Facts{Code: Failed, Property: "rootless"}},
		"a privilege":                {os.NewSyscallError("clone", unix.EPERM), Facts{Code: NotPermitted, Op: "clone", Errno: unix.EPERM}},
		"a command":                  {About("process.args[0]", "x: %w", unix.ENOENT), Facts{Code: CommandNotFound, Errno: unix.ENOENT, Property: "process.args[0]"}},
		"its interpreter":            {Facts{Op: "execve", Property: "process.args[0]"}.Errorf("x: %w", unix.ENOENT), Facts{Code: CommandNotExecutable, Op: "execve", Errno: unix.ENOENT, Property: "process.args[0]"}},
		"a hint":                     {Hinted(unix.EMFILE, "y"), Facts{Code: OpenFilesExhausted, Errno: unix.EMFILE, Hint: "y"}},
	} {
		if got := Of(c.err); got != c.want {
			t.Errorf("%s: %+v, not %+v", name, got, c.want)
		}
	}
	if err := Hinted(unix.EMFILE, "y"); err.Error() != "too many open files (y)" || !errors.Is(err, unix.EMFILE) {
		t.Error(err)
	}
	if With(nil, Facts{Code: Failed}) != nil || Hinted(nil, "y") != nil {
		t.Error("no error has facts")
	}
	if !errors.Is(fmt.Errorf("x: %w", NotFound.Errorf("y")), NotFound) {
		t.Error("a code is not found")
	}
}
