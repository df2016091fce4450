package compile

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/golden"
	"coracle/libcontainer/internal/oci/bundle"
)

func compileHook(t *testing.T, in HookInput) (string, *Output) {
	t.Helper()
	in.Name, in.Spec, in.Host = "createRuntime[0]", bundle.Default(), testHost()
	out, err := Hook(in)
	if err != nil {
		t.Fatal(err)
	}
	return listing(t, out), out
}

func TestHookGolden(t *testing.T) {
	hook := specs.Hook{Path: "/opt/hook", Args: []string{"hook", "a  b", ""}, Env: []string{"A=1", "B="}}
	for name, in := range map[string]HookInput{
		"runtime":         {Hook: hook, Pidfd: -1, Root: -1, Cwd: -1, Dir: "/bundle"},
		"poststop":        {Hook: specs.Hook{Path: "/opt/hook"}, Pidfd: -1, Root: -1, Cwd: -1, Dir: "/bundle", MayBeGone: true, Environ: []string{"RUNTIME=1"}},
		"createContainer": {Hook: hook, Pidfd: 100, Root: 101, Cwd: 102},
		"startContainer":  {Hook: specs.Hook{Path: "/opt/hook"}, Pidfd: 100, Root: 101, Cwd: -1, Inside: true, Environ: []string{"RUNTIME=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := compileHook(t, in)
			golden.Compare(t, "testdata/hook/"+name+".golden", got)
		})
	}
}

// TestHookHasNothingOfTheContainer: a hook on the host gets nothing of the container's
// environment (CVE-2025-23266), and a hook in the container nothing of the runtime's.
func TestHookHasNothingOfTheContainer(t *testing.T) {
	for _, env := range [][]string{nil, {}, {"A=1"}} {
		in := HookInput{Hook: specs.Hook{Path: "/hook", Env: env}, Pidfd: 100, Root: 101, Cwd: 102, Environ: []string{"RUNTIME=1"}}
		for _, inside := range []bool{false, true} {
			in.Inside = inside
			_, out := compileHook(t, in)
			l := trace(out)
			var image string
			for _, part := range out.Program.Image() {
				image += string(part.Data)
			}
			for what, got := range map[string]bool{
				"A=1":       strings.Contains(image, "A=1\x00"),
				"RUNTIME=1": strings.Contains(image, "RUNTIME=1\x00"),
				"PATH=":     strings.Contains(image, "PATH=/"),
				"HOME=":     strings.Contains(l, at(stepHome)),
			} {
				want := map[string]bool{"A=1": len(env) > 0, "RUNTIME=1": env == nil && !inside, "PATH=": env == nil && inside, "HOME=": env == nil && inside}[what]
				if got != want {
					t.Errorf("environment %#v, inside %v: %s is there: %v", env, inside, what, got)
				}
			}
		}
	}
}

// TestHookOfTheContainer: its program comes from the image, so it gets no more than the
// container's process.
func TestHookOfTheContainer(t *testing.T) {
	_, out := compileHook(t, HookInput{Hook: specs.Hook{Path: "/hook"}, Pidfd: 100, Root: 101, Cwd: -1, Inside: true})
	if out.Forks != 1 || !out.ForksLast {
		t.Error("the hook does not get into the pid namespace")
	}
	ordered(t, out, [][2]string{
		{`prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)`, `setns(`},
		{`setns(`, `chroot(`},
		{`chroot(`, `chdir("/")`},
		{`chdir("/")`, `execve(`},
		{at(stepCloseSetup), `execve(`},
		{at(stepHome), at(stepCloseSetup)},
		{at(stepJoinCgroup), `setns(`},
		{at(stepNoNewPrivs), `execve(`},
		{at(stepUserID), at(stepCapabilities)},
		{at(stepCapabilities), `execve(`},
	})
}

// TestHookIsExplained: the caller prefixes the name and path of the hook.
func TestHookIsExplained(t *testing.T) {
	_, out := compileHook(t, HookInput{Hook: specs.Hook{Path: "/hook"}, Pidfd: -1, Root: -1, Cwd: -1})
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
			out, err := Hook(HookInput{Hook: hook, Name: "poststop[0]", Spec: s, Pidfd: fd, Root: fd, Cwd: fd, Dir: "/bundle", Host: testHost()})
			if err != nil {
				t.Fatal(err)
			}
			_ = out.Program.Image()
		}
	})
}
