package compile

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/golden"
	"coracle/libcontainer/internal/oci/bundle"
	"coracle/libcontainer/internal/oci/jsonpos"
)

func compileExec(t *testing.T, change func(*specs.Spec)) (string, *Output) {
	t.Helper()
	s := bundle.Default()
	s.Process.Terminal = false
	change(s)
	out, err := Exec(ExecInput{Spec: s, ID: "demo", Host: testHost(), Preserved: []bool{false, true}, Pidfd: 100, Root: 101})
	if err != nil {
		t.Fatal(err)
	}
	return listing(t, out), out
}

func TestExecGolden(t *testing.T) {
	for name, change := range map[string]func(*specs.Spec){
		"default": func(*specs.Spec) {},
		"terminal": func(s *specs.Spec) {
			s.Process.Terminal = true
			s.Process.ConsoleSize = &specs.Box{Height: 24, Width: 80}
			s.Process.User = specs.User{UID: 1000, GID: 1001, AdditionalGids: []uint32{7}}
			s.Process.Env = append(s.Process.Env, "HOME=/home/user")
			s.Process.Args = []string{"/bin/bash", "-i"}
		},
		"labels": func(s *specs.Spec) {
			s.Process.ApparmorProfile, s.Process.SelinuxLabel = bundle.Unconfined, "u:r:process:s0"
		},
		// All namespaces of the host except the mount namespace.
		"shared": func(s *specs.Spec) {
			s.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.MountNamespace, Path: "/proc/1/ns/mnt"}}
			s.Process.NoNewPrivileges = false
			s.Process.Capabilities = nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := compileExec(t, change)
			golden.Compare(t, "testdata/exec/"+name+".golden", got)
		})
	}
}

// TestExecGoldenUnified: on a host with cgroup v2 the process starts in its cgroup, and enters it
// by itself when that is full.
func TestExecGoldenUnified(t *testing.T) {
	for name, change := range map[string]func(*specs.Spec){
		"unified": func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		},
		"unifiedshared": func(s *specs.Spec) { s.Linux.Namespaces = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s, host := bundle.Default(), testHost()
			s.Process.Terminal, s.Process.Capabilities = false, nil
			s.Process.Env = append(s.Process.Env, "HOME=/root")
			change(s)
			host.CgroupJoin, host.CgroupBirth = nil, "/sys/fs/cgroup/demo"
			out, err := Exec(ExecInput{Spec: s, ID: "demo", Host: host, Pidfd: 100, Root: 101})
			if err != nil {
				t.Fatal(err)
			}
			if born := out.Birth != ""; born == (out.Forks > 0) || out.Outside == 0 {
				t.Errorf("forks: %v, born by the runtime in %q, outside %#x", out.Forks, out.Birth, out.Outside)
			}
			golden.Compare(t, "testdata/exec/"+name+".golden", listing(t, out))
		})
	}
}

// TestExecOrder checks the orderings that security depends on.
func TestExecOrder(t *testing.T) {
	l, out := compileExec(t, func(s *specs.Spec) {
		s.Process.Terminal, s.Process.ApparmorProfile, s.Process.SelinuxLabel = true, "profile", "u:r:process:s0"
	})
	ordered(t, out, [][2]string{
		// Labels are written in the mount namespace of the runtime.
		{at(stepAppArmor), `setns(`},
		{at(stepSELinuxKeyring), at(stepKeyring)},
		// The process cannot be inspected from the moment that it joins.
		{`prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)`, `setns(`},
		// The files of cgroups are opened before the mount namespace is joined.
		{`tasks", O_WRONLY`, `setns(`},
		{`write(cgroup, "0", 1)`, `, CLONE_NEWCGROUP)`},
		{`write(cgroup, "0", 1)`, at(stepEnterRoot)},
		{at(stepJoinNamespaces), at(stepEnterRoot)},
		{at(stepEnterRoot), at(stepOpenTerminal)},
		{at(stepOpenTerminal), at(stepCloseSetup)},
		{at(stepCloseSetup), at(stepCwd)},
		{at(stepNoNewPrivs), at(stepUserID)},
		{at(stepBoundingSet), at(stepUserID)},
		{at(stepUserID), at(stepCapabilities)},
		{at(stepCapabilities), at(stepFindCommand)},
		// What others see has no privilege that the process does not have, and no descriptor.
		{`write(cgroup, "0", 1)`, `clone(`},
		{at(stepCloseSetup), `clone(`},
		{at(stepFindCommand), `clone(`},
		{at(stepUmask), `clone(`},
		{`clone(`, at(stepControllingTerminal)},
		{`clone(`, `execve`},
	})
	if strings.Contains(l, "PR_SET_DUMPABLE, 1") {
		t.Error("the program becomes dumpable again")
	}
	if out.Gate != -1 || out.CloneFlags != 0 {
		t.Errorf("gate %d, clone flags %#x", out.Gate, out.CloneFlags)
	}
}

func TestExecForksForThePidNamespaceOnly(t *testing.T) {
	for _, c := range []struct {
		namespaces []specs.LinuxNamespace
		forks      bool
		joins      uint64
	}{
		{nil, false, 0},
		{[]specs.LinuxNamespace{{Type: specs.MountNamespace}, {Type: specs.UTSNamespace}}, false, unix.CLONE_NEWNS | unix.CLONE_NEWUTS},
		{[]specs.LinuxNamespace{{Type: specs.PIDNamespace}}, true, unix.CLONE_NEWPID},
		{[]specs.LinuxNamespace{{Type: specs.PIDNamespace, Path: "/proc/1/ns/pid"}}, true, unix.CLONE_NEWPID},
	} {
		l, out := compileExec(t, func(s *specs.Spec) { s.Linux.Namespaces = c.namespaces })
		if (out.Forks == 1 && out.ForksLast) != c.forks || strings.Contains(l, "clone(") != c.forks {
			t.Errorf("%v: forks: %v", c.namespaces, out.Forks)
		}
		if strings.Contains(l, "setns(") != (c.joins != 0) {
			t.Errorf("%v: wrong setns in\n%s", c.namespaces, l)
		}
	}
}

// TestExecOfADyingContainer: in a pid namespace without its first process, fork fails with
// ENOMEM, which would suggest a lack of memory.
func TestExecOfADyingContainer(t *testing.T) {
	_, out := compileExec(t, func(*specs.Spec) {})
	found := 0
	for op := range out.Program.Len() {
		call := out.Program.Call(op)
		if explain := out.Program.Note(op).Explain; (call == "setns" || call == "clone") && explain != nil {
			for _, e := range []unix.Errno{unix.ESRCH, unix.ENOMEM} {
				if text := explain(e); !strings.Contains(text, "container not running") {
					t.Errorf("%s, %v: %q", call, e, text)
				}
			}
			found++
		}
	}
	if found != 3 {
		t.Errorf("%d explanations, want 3", found)
	}
}

// FuzzExec: a process that passes validation compiles or is refused, without a panic.
func FuzzExec(f *testing.F) {
	f.Add([]byte(`{"args":["sh"],"cwd":"/","user":{"uid":5,"gid":6,"additionalGids":[7],"umask":18},"env":["HOME=","A=1"]}`), false)
	f.Add([]byte(`{"args":["sh"],"cwd":"/","terminal":true,"consoleSize":{"height":24,"width":80},"noNewPrivileges":true,
		"scheduler":{"policy":"SCHED_BATCH","nice":3},"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":4},
		"execCPUAffinity":{"initial":"0","final":"0-1"},"capabilities":{"bounding":["CAP_KILL","CAP_NONE"]},
		"rlimits":[{"type":"RLIMIT_CORE","hard":1,"soft":0}],"oomScoreAdj":5}`), true)
	f.Fuzz(func(t *testing.T, data []byte, bare bool) {
		s := bundle.Default()
		if bare {
			s.Linux = nil
		}
		s.Process = new(specs.Process)
		if _, err := jsonpos.Unmarshal(data, s.Process); err != nil {
			return
		}
		if problems, _ := bundle.ValidateProcess(s.Process); len(problems) > 0 {
			return
		}
		out, err := Exec(ExecInput{Spec: s, ID: "demo", Host: testHost(), Preserved: []bool{false, true}, Pidfd: 100, Root: 101})
		if err != nil {
			return
		}
		_ = out.Program.Lines()
		_ = out.Program.Image()
	})
}
