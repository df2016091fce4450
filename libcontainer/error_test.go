package libcontainer_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer"
)

// TestErrorFacts has real failures with their details. HOST and ROOTFS in a path stand for the
// bundle and its root file system.
func TestErrorFacts(t *testing.T) {
	command := func(args ...string) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Process.Args = args }
	}
	hook := func(h specs.Hook) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/true"}, h}} }
	}
	second := 1
	for name, c := range map[string]struct {
		change func(*specs.Spec)
		want   libcontainer.Error
	}{
		"source of a mount": {
			func(s *specs.Spec) {
				s.Mounts = append(s.Mounts, specs.Mount{Destination: "/mnt", Type: "bind", Source: "/no/such/source", Options: []string{"bind"}})
			},
			libcontainer.Error{Code: libcontainer.CodeMountSourceMissing, Phase: "compile", Op: "stat", Errno: unix.ENOENT, Property: "mounts[#]", HostPath: "/no/such/source", ContainerPath: "/mnt",
				Hint: "the source of a bind mount has to exist"},
		},
		"option of a file system": {
			func(s *specs.Spec) {
				s.Mounts = append(s.Mounts, specs.Mount{Destination: "/mnt", Type: "tmpfs", Source: "tmpfs", Options: []string{"nr_inodes=x"}})
			},
			libcontainer.Error{Code: libcontainer.CodeMountFailed, Phase: "follow", Op: "fsconfig", Errno: unix.EINVAL, Property: "mounts[#]", ContainerPath: "/mnt"},
		},
		"mount point": {
			func(s *specs.Spec) {
				s.Mounts = append(s.Mounts, specs.Mount{Destination: "/bin/busybox/x", Type: "tmpfs", Source: "tmpfs"})
			},
			libcontainer.Error{Code: libcontainer.CodeMountFailed, Phase: "follow", Op: "openat2", Errno: unix.ENOTDIR, Property: "mounts[#]", ContainerPath: "/bin/busybox/x"},
		},
		"rootfs": {
			func(s *specs.Spec) { s.Root.Path = "elsewhere" },
			libcontainer.Error{Code: libcontainer.CodeRootfsFailed, Phase: "prepare", Op: "open", Errno: unix.ENOENT, Property: "root.path", HostPath: "HOST/elsewhere"},
		},
		"value": {
			func(s *specs.Spec) { s.Process.Cwd = "relative" },
			libcontainer.Error{Code: libcontainer.CodeConfigInvalid, Phase: "prepare", Property: "process.cwd"},
		},
		"list": {
			func(s *specs.Spec) {
				s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 1, Hard: 1}, {Type: "RLIMIT_LUCK"}}
			},
			libcontainer.Error{Code: libcontainer.CodeConfigInvalid, Phase: "prepare", Property: "process.rlimits[1].type"},
		},
		"map": {
			func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"kernel.pid_max": "1"} },
			libcontainer.Error{Code: libcontainer.CodeConfigInvalid, Phase: "prepare", Property: `linux.sysctl["kernel.pid_max"]`},
		},
		"terminal": {
			func(s *specs.Spec) { s.Process.Terminal = true },
			libcontainer.Error{Code: libcontainer.CodeTerminalMismatch, Phase: "prepare", Property: "process.terminal"},
		},
		"command in PATH": {
			command("no-such-command"),
			libcontainer.Error{Code: libcontainer.CodeCommandNotFound, Phase: "follow", Errno: unix.ENOENT, Property: "process.args[0]"},
		},
		"command by path": {
			command("/no/such"),
			libcontainer.Error{Code: libcontainer.CodeCommandNotFound, Phase: "follow", Op: "statx", Errno: unix.ENOENT, Property: "process.args[0]", ContainerPath: "/no/such"},
		},
		"command that is a directory": {
			command("/bin"),
			libcontainer.Error{Code: libcontainer.CodeCommandNotExecutable, Phase: "follow", Errno: unix.EISDIR, Property: "process.args[0]", ContainerPath: "/bin"},
		},
		"script without an interpreter": {
			command("/bin/script"),
			libcontainer.Error{Code: libcontainer.CodeCommandNotExecutable, Phase: "start", Op: "execve", Errno: unix.ENOENT, Property: "process.args[0]", ContainerPath: "/bin/script",
				Hint: "the interpreter that it names in its #! line or ELF header is not in the container"},
		},
		"working directory": {
			func(s *specs.Spec) { s.Process.Cwd = "/bin/busybox" },
			libcontainer.Error{Code: libcontainer.CodeCwdFailed, Phase: "follow", Op: "openat2", Errno: unix.ENOTDIR, Property: "process.cwd", ContainerPath: "/bin/busybox"},
		},
		"namespace": {
			func(s *specs.Spec) {
				s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace, Path: "/no/such"})
			},
			libcontainer.Error{Code: libcontainer.CodeNamespaceFailed, Phase: "launch", Op: "open", Errno: unix.ENOENT, Property: "linux.namespaces[#].path", HostPath: "/no/such"},
		},
		"hook that fails": {
			hook(specs.Hook{Path: "/bin/false"}),
			libcontainer.Error{Code: libcontainer.CodeHookFailed, Phase: "hooks", Property: "hooks.createRuntime[1]", HostPath: "/bin/false"},
		},
		"hook that is missing": {
			hook(specs.Hook{Path: "/no/such/hook"}),
			libcontainer.Error{Code: libcontainer.CodeHookFailed, Phase: "hooks", Op: "execve", Errno: unix.ENOENT, Property: "hooks.createRuntime[1]", HostPath: "/no/such/hook"},
		},
		"hook without an end": {
			hook(specs.Hook{Path: "/bin/sleep", Args: []string{"sleep", "1000"}, Timeout: &second}),
			libcontainer.Error{Code: libcontainer.CodeHookTimeout, Phase: "hooks", Property: "hooks.createRuntime[1]", HostPath: "/bin/sleep"},
		},
		"device": {
			func(s *specs.Spec) {
				s.Linux.Devices = []specs.LinuxDevice{{Path: "/bin/busybox/x", Type: "c", Major: 1, Minor: 3}}
			},
			libcontainer.Error{Code: libcontainer.CodeDeviceFailed, Phase: "follow", Op: "openat2", Errno: unix.ENOTDIR, Property: "linux.devices[0]", ContainerPath: "/bin/busybox/x"},
		},
		"network device": {
			func(s *specs.Spec) {
				s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"nosuchdevice": {}}
			},
			libcontainer.Error{Code: libcontainer.CodeNetDeviceFailed, Phase: "follow", Property: "linux.netDevices"},
		},
		"kernel parameter": {
			func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "x"} },
			libcontainer.Error{Code: libcontainer.CodeSysctlFailed, Phase: "follow", Op: "write", Errno: unix.EINVAL, Property: "linux.sysctl"},
		},
		"limit of a resource": {
			func(s *specs.Spec) {
				idle := int64(2)
				s.Linux.Resources.CPU = &specs.LinuxCPU{Idle: &idle}
			},
			libcontainer.Error{Code: libcontainer.CodeConfigInvalid, Phase: "prepare", Property: "linux.resources.cpu.idle"},
		},
		"resource limit": {
			func(s *specs.Spec) {
				s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1 << 40, Hard: 1 << 40}}
			},
			libcontainer.Error{Code: libcontainer.CodeProcessFailed, Phase: "follow", Op: "prlimit", Errno: unix.EPERM, Property: "process.rlimits[0]"},
		},
		"memory": {
			func(s *specs.Spec) {
				limit := int64(4096)
				s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit}
			},
			libcontainer.Error{Code: libcontainer.CodeMemoryExhausted, Phase: "follow", Property: "linux.resources.memory.limit"},
		},
		"form of the cgroup's path": {
			func(s *specs.Spec) { s.Linux.CgroupsPath = "a.slice:b:c" },
			libcontainer.Error{Code: libcontainer.CodeCgroupDriverMismatch, Phase: "prepare", Property: "linux.cgroupsPath"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := bundleWith(t, c.change, "true")
			if err := os.WriteFile(filepath.Join(dir, "rootfs/bin/script"), []byte("#!/no/interpreter\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			rt := &libcontainer.Runtime{Root: filepath.Join(dir, "state")}
			id := "coracle-facts-" + filepath.Base(dir)
			ctr, err := rt.Create(context.Background(), id, libcontainer.CreateOptions{Bundle: dir})
			if err == nil {
				err = ctr.Start(context.Background())
				defer rt.ForceDelete(context.Background(), id)
			} else {
				nothingLeft(t, rt)
			}
			var got *libcontainer.Error
			if !errors.As(err, &got) {
				t.Fatalf("%v is no Error", err)
			}
			if !errors.Is(err, c.want.Code) || c.want.Errno != 0 && !errors.Is(err, c.want.Errno) {
				t.Errorf("errors.Is does not find the code and the errno of %v", err)
			}
			if got.ID != id {
				t.Errorf("ID is %q", got.ID)
			}
			if strings.ContainsAny(got.Property, ".[") != (strings.Count(got.Pointer, "/") > 1) {
				t.Errorf("the property is %q, and its pointer %q", got.Property, got.Pointer)
			}
			if strings.HasPrefix(got.Hint, "/proc/sys/fs/nr_open is ") {
				got.Hint = ""
			}
			if want, have := factsOf(&c.want, dir), factsOf(got, dir); want != have {
				t.Errorf("%v\n has  %+v\n want %+v", err, have, want)
			}
		})
	}
}

// facts are the details of an error that can be compared.
type facts struct {
	code                                       libcontainer.Code
	errno                                      syscall.Errno
	phase, op, property, host, container, hint string
}

// factsOf removes what depends on the machine.
func factsOf(e *libcontainer.Error, bundle string) facts {
	property := e.Property
	if strings.HasPrefix(property, "mounts[") || strings.HasPrefix(property, "linux.namespaces[") {
		begin, end := strings.Index(property, "["), strings.Index(property, "]")
		property = property[:begin] + "[#" + property[end:]
	}
	return facts{e.Code, e.Errno, e.Phase, e.Op, property, strings.Replace(e.HostPath, bundle, "HOST", 1), e.ContainerPath, e.Hint}
}

// TestErrorsOfStatus: operations that are impossible with a status.
func TestErrorsOfStatus(t *testing.T) {
	ctx := context.Background()
	dir := bundleWith(t, nil, "sleep", "1000")
	rt := &libcontainer.Runtime{Root: filepath.Join(dir, "state")}
	id := "coracle-status-" + filepath.Base(dir)
	check := func(what string, err error, wants ...error) {
		t.Helper()
		for _, want := range wants {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v is not %q", what, err, want)
			}
		}
	}
	check("start without a container", rt.Container(id).Start(ctx), libcontainer.ErrNotExist, libcontainer.CodeNotFound)
	check("delete without a container", rt.Container(id).Delete(ctx), libcontainer.ErrNotExist)
	check("an id", rt.Container("a/b").Delete(ctx), libcontainer.CodeIDInvalid)
	c, err := rt.Run(ctx, id, libcontainer.CreateOptions{Bundle: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.ForceDelete(ctx, id)
	_, err = rt.Create(ctx, id, libcontainer.CreateOptions{Bundle: dir})
	check("create once more", err, libcontainer.ErrExist, libcontainer.CodeExists)
	check("start once more", c.Start(ctx), libcontainer.ErrWrongStatus)
	check("delete", c.Delete(ctx), libcontainer.ErrNotStopped)
	check("resume", c.Resume(ctx), libcontainer.ErrWrongStatus)
	process, err := c.ProcessTemplate()
	if err != nil {
		t.Fatal(err)
	}
	process.Args = []string{"true"}
	if err := c.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	check("pause once more", c.Pause(ctx), libcontainer.ErrPaused)
	_, err = c.Exec(ctx, libcontainer.ExecOptions{Process: process})
	check("exec in a paused container", err, libcontainer.ErrPaused, libcontainer.CodePaused)
	if err := c.Signal(ctx, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if p, err := os.FindProcess(c.Pid()); err == nil {
		_, _ = p.Wait()
	}
	for what, err := range map[string]error{"signal": c.Signal(ctx, unix.SIGTERM), "pause": c.Pause(ctx), "update": c.Update(ctx, libcontainer.UpdateOptions{})} {
		check(what, err, libcontainer.ErrNotRunning, libcontainer.CodeNotRunning)
	}
	_, err = c.Exec(ctx, libcontainer.ExecOptions{Process: process})
	check("exec", err, libcontainer.ErrNotRunning)
	if err := c.Delete(ctx); err != nil {
		t.Error(err)
	}
}

// TestCodes: each code has one meaning, and a name of the right form.
func TestCodes(t *testing.T) {
	seen := map[libcontainer.Code]bool{}
	for _, m := range libcontainer.CodeMeanings() {
		if seen[m.Code] || m.Text == "" || !strings.HasPrefix(string(m.Code), "CORACLE_") || strings.ToUpper(string(m.Code)) != string(m.Code) {
			t.Errorf("%q: %q", m.Code, m.Text)
		}
		seen[m.Code] = true
	}
	for _, file := range []string{"error.go", "internal/fault/codes.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, list, _ := strings.Cut(string(source), "const (\n")
		list, _, _ = strings.Cut(list, "\n)\n")
		if n := strings.Count(list, " = "); n != len(seen) {
			t.Errorf("%s has %d codes, and %d have a meaning", file, n, len(seen))
		}
	}
}
