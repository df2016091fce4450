package compile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci/bundle"
)

// TestLabelsComeFirst: labels are set while the container has no influence on the mounts.
func TestLabelsComeFirst(t *testing.T) {
	s := bundle.Default()
	s.Process.ApparmorProfile, s.Process.SelinuxLabel = "profile", "u:r:process:s0"
	out, err := Init(testInput(s))
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range []program.Step{stepAppArmor, stepSELinux, stepSELinuxKeyring} {
		for _, later := range []string{"unshare(", "move_mount(", "keyctl(", "pivot_root("} {
			ordered(t, out, [][2]string{{at(label), later}})
		}
	}
}

// TestLabelsOfHooks: a hook from the image is confined like the process; a hook on the host is
// not confined.
func TestLabelsOfHooks(t *testing.T) {
	s := bundle.Default()
	s.Process.ApparmorProfile, s.Process.SelinuxLabel = "profile", "u:r:process:s0"
	for _, inside := range []bool{true, false} {
		out, err := Hook(HookInput{Hook: specs.Hook{Path: "/hook"}, Spec: s, Pidfd: 100, Root: 101, Cwd: -1, Inside: inside, Host: testHost()})
		if err != nil {
			t.Fatal(err)
		}
		l := listing(t, out)
		for _, label := range []string{`"exec profile"`, `"u:r:process:s0"`} {
			if strings.Contains(l, label) != inside {
				t.Errorf("inside: %v, and %s: %v", inside, label, !inside)
			}
		}
		if strings.Contains(l, "keycreate") {
			t.Error("a hook makes no keyring")
		}
	}
}

// TestNoLabels: without labels none of these steps happen.
func TestNoLabels(t *testing.T) {
	out, err := Init(testInput(bundle.Default()))
	if err != nil {
		t.Fatal(err)
	}
	if l := listing(t, out); strings.Contains(l, "attr/") || strings.Contains(l, "context") {
		t.Errorf("labels in\n%s", l)
	}
}

// TestLabelErrors: the error of a missing profile does not look like a missing command.
func TestLabelErrors(t *testing.T) {
	s := bundle.Default()
	s.Process.ApparmorProfile, s.Process.SelinuxLabel = "profile", "u:r:process:s0"
	out, err := Init(testInput(s))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		step  program.Step
		call  string
		errno unix.Errno
		want  string
	}{
		{stepAppArmor, "openat2", unix.ENOENT, "this kernel has no AppArmor"},
		{stepAppArmor, "write", unix.ENOENT, "the profile is not loaded"},
		{stepAppArmor, "write", unix.EACCES, "permission denied"},
		{stepAppArmor, "openat2", unix.EXDEV, "something is mounted over it"},
		{stepAppArmor, "write", unix.EIO, "input/output error"},
		{stepSELinux, "write", unix.EINVAL, "does not know the label"},
		{stepSELinuxKeyring, "write", unix.EACCES, "permission denied"},
	} {
		found := false
		for op := range out.Program.Len() {
			note := out.Program.Note(op)
			if note.Step != c.step || out.Program.Call(op) != c.call {
				continue
			}
			found = true
			if text := note.Explain(c.errno); !strings.HasPrefix(text, note.Subject()+": ") || !strings.HasSuffix(text, c.want) && !strings.Contains(text, c.want+" (") &&
				!strings.Contains(text, c.want+":") {
				t.Errorf("%s, %v: %q", c.call, c.errno, text)
			} else if strings.Contains(text, "no such file") {
				t.Errorf("%q", text)
			}
		}
		if !found {
			t.Errorf("no %s in the step %s", c.call, c.step)
		}
	}
}

// TestLabelsAndFakeProcfs runs programs that find something other than the kernel's files at
// /proc, or at their own place in it (CVE-2025-52881): they write nothing.
func TestLabelsAndFakeProcfs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting takes root")
	}
	if _, err := os.Stat("/proc/thread-self/attr/exec"); err != nil {
		t.Skip("the kernel has no security modules")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	const attributes = "/proc/thread-self/attr"
	for name, c := range map[string]struct {
		source, target, fstype string
		want                   string
	}{
		"nothing":                   {},
		"a tmpfs":                   {"tmpfs", "/proc", "tmpfs", "not a procfs"},
		"a part of a procfs":        {"/proc/sys", "/proc", "", "not a procfs"},
		"a tmpfs on the attributes": {"tmpfs", attributes, "tmpfs", "something is mounted over it"},
		"a file on one":             {file, attributes + "/exec", "", "something is mounted over it"},
		"another process's on one":  {"/proc/1/attr/exec", attributes + "/exec", "", "something is mounted over it"},
	} {
		t.Run(name, func(t *testing.T) {
			s := bundle.Default()
			s.Process.Terminal, s.Process.SelinuxLabel = false, "u:r:nosuchlabel:s0"
			b := newCompiler(testInput(s), otherProcess)
			b.note("cover", "", "cover what is in /proc", "")
			b.Unshare(unix.CLONE_NEWNS)
			b.MountSetattr(program.Cwd(), "/", unix.AT_RECURSIVE, 0, 0, unix.MS_PRIVATE)
			if c.target != "" {
				flags := uint64(0)
				if c.fstype == "" {
					flags = unix.MS_BIND
				}
				b.Mount(c.source, c.target, c.fstype, flags, "")
			}
			b.labels(false)
			out, err := b.finish()
			if err != nil {
				t.Fatal(err)
			}
			err = runProgram(t, out)
			covered := err != nil && (strings.Contains(err.Error(), "is mounted"))
			if c.want == "" && covered || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if data, err := os.ReadFile(file); err != nil || len(data) > 0 {
				t.Errorf("the file has %q, %v", data, err)
			}
		})
	}
}

// runProgram runs a program to its end, and returns the error that it reports.
func runProgram(t *testing.T, out *Output) error {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	init, err := launch.Start(launch.Command{
		Program: out.Program, Files: []int{0, 1, 2, -1, -1}, Socket: out.Socket, Image: out.Image,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer init.Close()
	_, err = init.Receive()
	var death *launch.DeathError
	if errors.As(err, &death) && death.Status.Exited() && death.Status.ExitStatus() == 0 {
		return nil
	}
	return err
}
