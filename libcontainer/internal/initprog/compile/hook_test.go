package compile

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/golden"
	"coracle/libcontainer/internal/oci/bundle"
)

func compileHook(t *testing.T, hook specs.Hook, pidfd, root int, inside bool) (string, *Output) {
	t.Helper()
	out, err := Hook(HookInput{Hook: hook, Name: "createRuntime[0]", Spec: bundle.Default(), Pidfd: pidfd, Root: root, Inside: inside, Host: testHost()})
	if err != nil {
		t.Fatal(err)
	}
	return listing(t, out), out
}

func TestHookGolden(t *testing.T) {
	hook := specs.Hook{Path: "/opt/hook", Args: []string{"hook", "a  b", ""}, Env: []string{"A=1", "B="}}
	for name, c := range map[string]struct {
		hook        specs.Hook
		pidfd, root int
		inside      bool
	}{
		"runtime":         {hook, -1, -1, false},
		"createContainer": {hook, 100, 101, false},
		"startContainer":  {specs.Hook{Path: "/opt/hook"}, 100, 101, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := compileHook(t, c.hook, c.pidfd, c.root, c.inside)
			golden.Compare(t, "testdata/hook/"+name+".golden", got)
		})
	}
}

// TestHookHasNothingOfTheContainer: neither its environment nor its working directory
// (CVE-2025-23266).
func TestHookHasNothingOfTheContainer(t *testing.T) {
	l, out := compileHook(t, specs.Hook{Path: "/hook"}, 100, 101, true)
	if strings.Contains(l, "PATH=") || strings.Contains(l, "TERM=") {
		t.Errorf("the hook gets the environment of the container:\n%s", l)
	}
	if !out.Forks {
		t.Error("the hook does not get into the pid namespace")
	}
	for _, pair := range [][2]string{
		{`prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)`, `setns(`},
		{`setns(`, `chroot(`},
		{`chroot(`, `chdir("/")`},
		{`chdir("/")`, `execve(`},
		{`close all descriptors of the set-up`, `execve(`},
		// Its program is the image's: it gets no more than the process of the container.
		{`join the cgroup`, `setns(`},
		{`set no_new_privs`, `execve(`},
		{`set the user id`, `set the capabilities`},
		{`set the capabilities`, `execve(`},
	} {
		if index(t, l, pair[0]) > index(t, l, pair[1]) {
			t.Errorf("%q comes after %q", pair[0], pair[1])
		}
	}
}

// TestHookIsExplained: the caller puts the name and path of the hook before it.
func TestHookIsExplained(t *testing.T) {
	_, out := compileHook(t, specs.Hook{Path: "/hook"}, -1, -1, false)
	for op := range out.Program.Len() {
		if out.Program.Call(op) != "execve" {
			continue
		}
		if got := out.Program.Note(op).Explain(unix.ENOENT); got != `execute "/hook": no such file or directory` {
			t.Errorf("got %q", got)
		}
		return
	}
	t.Error("the hook is not executed")
}

// FuzzHook: every hook that passes validation compiles.
func FuzzHook(f *testing.F) {
	f.Add("/opt/hook", "hook\na  b\n", "A=1\nB=")
	f.Add("/", "", "")
	f.Fuzz(func(t *testing.T, path, args, env string) {
		hook := specs.Hook{Path: path, Args: strings.Split(args, "\n"), Env: strings.Split(env, "\n")}
		s := bundle.Default()
		s.Hooks = &specs.Hooks{Poststop: []specs.Hook{hook}}
		if problems, _ := bundle.Validate(s); len(problems) > 0 {
			return
		}
		for _, fd := range []int{-1, 100} {
			out, err := Hook(HookInput{Hook: hook, Name: "poststop[0]", Spec: s, Pidfd: fd, Root: fd, Host: testHost()})
			if err != nil {
				t.Fatal(err)
			}
			_ = out.Program.Image()
		}
	})
}
