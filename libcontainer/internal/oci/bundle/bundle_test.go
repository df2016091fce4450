package bundle

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestDefaultIsValid(t *testing.T) {
	problems, warnings := Validate(Default())
	if len(problems) != 0 || len(warnings) != 0 {
		t.Error(problems, warnings)
	}
}

func TestDefaultHasNothingInheritable(t *testing.T) {
	c := Default().Process.Capabilities
	if len(c.Inheritable) != 0 || len(c.Ambient) != 0 {
		t.Error("a program of another user would get capabilities", c.Inheritable, c.Ambient)
	}
}

// TestProblems changes one thing of the default configuration at a time.
func TestProblems(t *testing.T) {
	u32 := func(v uint32) *uint32 { return &v }
	i64 := func(v int64) *int64 { return &v }
	for want, change := range map[string]func(*specs.Spec){
		`ociVersion is missing; it is required, the current version is "1.3.0"`: func(s *specs.Spec) { s.Version = "" },
		`ociVersion: "2.0.0" is not a version that this runtime knows (1.x)`:    func(s *specs.Spec) { s.Version = "2.0.0" },
		`ociVersion: "1.x" is not a version that this runtime knows (1.x)`:      func(s *specs.Spec) { s.Version = "1.x" },
		`root is missing; it is required on Linux`:                              func(s *specs.Spec) { s.Root = nil },
		`root.path is missing or empty`:                                         func(s *specs.Spec) { s.Root.Path = "" },
		`process.args is missing or empty; it must hold the command`:            func(s *specs.Spec) { s.Process.Args = nil },
		`process.args[0] is empty; it must be the command`:                      func(s *specs.Spec) { s.Process.Args = []string{""} },
		`process.args[1] has a NUL character in it`:                             func(s *specs.Spec) { s.Process.Args = []string{"a", "b\x00"} },
		`process.env[0] has a NUL character in it`:                              func(s *specs.Spec) { s.Process.Env = []string{"A=\x00"} },
		`process.cwd is missing or empty; it must be an absolute path`:          func(s *specs.Spec) { s.Process.Cwd = "" },
		`process.cwd: "tmp" is not absolute`:                                    func(s *specs.Spec) { s.Process.Cwd = "tmp" },
		`process.cwd is a path of 4096 bytes, longer than the 4095 that the kernel takes`: func(s *specs.Spec) {
			s.Process.Cwd = strings.Repeat("/x", 2048)
		},
		`mounts[1].destination is a path of 4096 bytes, longer than the 4095 that the kernel takes`: func(s *specs.Spec) {
			s.Mounts[1].Destination = strings.Repeat("/x", 2048)
		},
		`linux.maskedPaths[0] is a path of 4097 bytes, longer than the 4095 that the kernel takes`: func(s *specs.Spec) {
			s.Linux.MaskedPaths[0] = strings.Repeat("/x", 2048) + "/"
		},
		`process.user.uid: 4294967295 is out of range (0 to 4294967294)`: func(s *specs.Spec) { s.Process.User.UID = 1<<32 - 1 },
		`process.user.additionalGids[1]: 4294967295 is out of range (0 to 4294967294)`: func(s *specs.Spec) {
			s.Process.User.AdditionalGids = []uint32{0, 1<<32 - 1}
		},
		`process.user.umask: 01000 is not a umask (0 to 0777)`: func(s *specs.Spec) { s.Process.User.Umask = u32(0o1000) },
		`process.rlimits[1].type: RLIMIT_NOFILE is limited already by process.rlimits[0]`: func(s *specs.Spec) {
			s.Process.Rlimits = append(s.Process.Rlimits, s.Process.Rlimits[0])
		},
		`process.rlimits[0].type: "RLIMIT_NONE" is not a resource limit of Linux`: func(s *specs.Spec) { s.Process.Rlimits[0].Type = "RLIMIT_NONE" },
		`process.rlimits[0]: the soft limit 2000 of RLIMIT_NOFILE is above the hard limit 1024`: func(s *specs.Spec) {
			s.Process.Rlimits[0].Soft = 2000
		},
		`process.oomScoreAdj: 1001 is out of range (-1000 to 1000)`: func(s *specs.Spec) { v := 1001; s.Process.OOMScoreAdj = &v },
		`linux.namespaces[6]: a second "pid" namespace; linux.namespaces[0] is one already`: func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "pid"})
		},
		`linux.namespaces[0].type: "pids" is not a namespace type`: func(s *specs.Spec) { s.Linux.Namespaces[0].Type = "pids" },
		`linux.namespaces[0].path: "ns" is not absolute`:           func(s *specs.Spec) { s.Linux.Namespaces[0].Path = "ns" },
		`hostname needs a uts namespace in linux.namespaces`: func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces[:3], s.Linux.Namespaces[4:]...)
		},
		`linux.maskedPaths needs a mount namespace in linux.namespaces: without one it would change the mounts of the host`: func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces[:4], s.Linux.Namespaces[5:]...)
		},
		`mounts[0].destination is missing or empty`: func(s *specs.Spec) { s.Mounts[0].Destination = "" },
		`mounts[0].destination: a mount on the root of the container is not possible`: func(s *specs.Spec) {
			s.Mounts[0].Destination = "/proc/.."
		},
		`mounts[0].type is missing; only bind mounts have none`: func(s *specs.Spec) { s.Mounts[0].Type = "" },
		`mounts[0].source is missing; a bind mount needs one`: func(s *specs.Spec) {
			s.Mounts[0] = specs.Mount{Destination: "/x", Options: []string{"rbind"}}
		},
		`mounts[0].options: "size=1m" is not an option of bind mounts`: func(s *specs.Spec) {
			s.Mounts[0] = specs.Mount{Destination: "/x", Source: "/y", Options: []string{"bind", "size=1m"}}
		},
		`linux.devices[0].type: "x" is not one of c, b, u and p`: func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "x"}}
		},
		`linux.devices[0].path: "x" is not the absolute path of a device`: func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "x", Type: "c"}}
		},
		`linux.devices[0]: -1:0 is not a device number`: func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "c", Major: -1}}
		},
		`linux.maskedPaths[0]: "x" is not an absolute path`:        func(s *specs.Spec) { s.Linux.MaskedPaths = []string{"x"} },
		`linux.rootfsPropagation: "rw" is not a mount propagation`: func(s *specs.Spec) { s.Linux.RootfsPropagation = "rw" },
		`linux.resources.devices[0].access: "rx" has other letters than r, w and m`: func(s *specs.Spec) {
			s.Linux.Resources.Devices[0].Access = "rx"
		},
		`linux.resources.devices[0].major: 4294967297 is neither a device number nor -1, which stands for all`: func(s *specs.Spec) {
			s.Linux.Resources.Devices[0].Major = i64(1<<32 + 1)
		},
		`linux.resources.devices[0].minor: -2 is neither a device number nor -1, which stands for all`: func(s *specs.Spec) {
			s.Linux.Resources.Devices[0].Minor = i64(-2)
		},
		`linux.resources.pids.limit: -2 is neither a number of processes nor -1`: func(s *specs.Spec) {
			s.Linux.Resources.Pids = &specs.LinuxPids{Limit: i64(-2)}
		},
		`linux.cgroupsPath: "/a/../b" has ".." in it`:                        func(s *specs.Spec) { s.Linux.CgroupsPath = "/a/../b" },
		`linux.cgroupsPath: "/./" is the root; it must be a cgroup below it`: func(s *specs.Spec) { s.Linux.CgroupsPath = "/./" },
		`linux.cgroupsPath has a NUL character in it`:                        func(s *specs.Spec) { s.Linux.CgroupsPath = "a\x00" },
		`linux.resources.hugepageLimits[0].pageSize is missing or empty; it is the size of the pages, like 2MB`: func(s *specs.Spec) {
			s.Linux.Resources.HugepageLimits = []specs.LinuxHugepageLimit{{Limit: 1}}
		},
		`linux.seccomp.defaultAction is missing; it is one of SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY`: func(s *specs.Spec) {
			s.Linux.Seccomp = &specs.LinuxSeccomp{}
		},
		`linux.seccomp.syscalls[1].errnoRet: SCMP_ACT_TRAP returns no error; only SCMP_ACT_ERRNO and SCMP_ACT_TRACE do`: func(s *specs.Spec) {
			one := uint(1)
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
				{Names: []string{"a"}, Action: specs.ActErrno, ErrnoRet: &one}, {Names: []string{"b"}, Action: specs.ActTrap, ErrnoRet: &one},
			}}
		},
	} {
		s := Default()
		change(s)
		problems, _ := Validate(s)
		found := false
		for _, p := range problems {
			found = found || strings.TrimPrefix(p.Error(), "config.json: ") == want
		}
		if !found {
			t.Errorf("no problem %q in %q", want, problems)
		}
	}
}

func TestProcDestinations(t *testing.T) {
	for dest, allowed := range map[string]bool{
		"/proc/self": false, "/proc/sys": false, "/proc/1/attr": false, "//proc//sys": false, "proc/sys": false,
		"/proc/../proc/kcore": false, "/proc/cpuinfo": true, "/proc/sys/kernel/ns_last_pid": true, "/process": true, "/a/proc": true,
	} {
		for _, m := range []specs.Mount{
			{Destination: dest, Type: "tmpfs", Source: "tmpfs"},
			{Destination: dest, Source: "/x", Options: []string{"bind"}},
		} {
			s := Default()
			s.Mounts = []specs.Mount{m}
			problems, _ := Validate(s)
			if (len(problems) == 0) != allowed {
				t.Errorf("%v: %v", m, problems)
			}
		}
	}
	s := Default()
	s.Mounts = []specs.Mount{{Destination: "/proc", Type: "tmpfs"}}
	if problems, _ := Validate(s); len(problems) == 0 {
		t.Error("a tmpfs at /proc is accepted")
	}
}

func TestVersions(t *testing.T) {
	for v, ok := range map[string]bool{"1.0.0": true, "1.0.2-dev": true, "1.3.0+x": true, "1.99": true, "0.9": false, "10.0": false, "one": false} {
		s := Default()
		s.Version = v
		if problems, _ := Validate(s); (len(problems) == 0) != ok {
			t.Errorf("%s: %v", v, problems)
		}
	}
}

func TestWarnings(t *testing.T) {
	s := Default()
	s.Process.Capabilities.Bounding = []string{"CAP_NEW", "KILL"}
	s.Mounts[0].Destination = "proc"
	problems, warnings := Validate(s)
	if len(problems) != 0 || len(warnings) != 3 {
		t.Errorf("problems %v, warnings %v", problems, warnings)
	}
}

func TestCapabilityNumbers(t *testing.T) {
	for name, want := range map[string]int{"CAP_CHOWN": 0, "CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN, "CAP_CHECKPOINT_RESTORE": unix.CAP_CHECKPOINT_RESTORE, "CAP_NET_RAW": unix.CAP_NET_RAW} {
		if got, ok := Capability(name); !ok || got != want {
			t.Errorf("%s is %d, %v", name, got, ok)
		}
	}
	for _, name := range []string{"CHOWN", "CAP_chown", "CAP_", "", "CAP_NONE"} {
		if _, ok := Capability(name); ok {
			t.Errorf("%q is taken for a capability", name)
		}
	}
	if len(capabilityNames) != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d capabilities, the kernel headers know %d", len(capabilityNames), unix.CAP_LAST_CAP+1)
	}
	if got := CapabilityNames(1<<unix.CAP_KILL | 1); got != "CAP_CHOWN, CAP_KILL" {
		t.Error(got)
	}
}

func writeBundle(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ConfigName), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLoad(t *testing.T) {
	config, err := json.MarshalIndent(Default(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	dir := writeBundle(t, string(config))
	b, warnings, err := Load(Place{Dir: dir})
	if err != nil || len(warnings) != 0 {
		t.Fatal(err, warnings)
	}
	if b.Rootfs != filepath.Join(dir, "rootfs") || b.Path != dir || !reflect.DeepEqual(b.Spec, Default()) {
		t.Errorf("got %+v", b)
	}
	// A rootfs behind a symbolic link is found.
	link := filepath.Join(dir, "link")
	if err := os.Symlink("rootfs", link); err != nil {
		t.Fatal(err)
	}
	b.Spec.Root.Path = link
	if err := b.findRootfs(); err != nil || b.Rootfs != filepath.Join(dir, "rootfs") {
		t.Error(b.Rootfs, err)
	}
}

func TestLoadErrors(t *testing.T) {
	for config, want := range map[string]string{
		"{\n \"ociVersion\": 1\n}":              "config.json: ociVersion: line 2, column 16: expected a string, got the number 1",
		"{\"process\":{\"user\":{\"uid\":-1}}}": "config.json: process.user.uid: line 1, column 27: expected a number (uint32), got the number -1",
		"{,":                                    "config.json: line 1, column 2: a property name is expected, but there is ','",
		"":                                      "config.json: line 1, column 1: a value is expected, but the document ends",
		"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"none\"}}":        "no such file or directory",
		"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"config.json\"}}": "config.json is not a directory",
		"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"/\"}}":           "the root of the host cannot be a rootfs",
	} {
		_, _, err := Load(Place{Dir: writeBundle(t, config)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", config, err, want)
		}
	}
	if _, _, err := Load(Place{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "bundle has no config.json") {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, ConfigName), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(Place{Dir: dir}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}

func TestUnknownPropertiesAreWarnings(t *testing.T) {
	_, warnings, err := Load(Place{Dir: writeBundle(t, `{"ociVersion":"1.0.0","root":{"path":"rootfs","colour":"red"},"process":{"args":["a"],"cwd":"/","user":{}}}`)})
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Error(), "root.colour: line 1, column 47") {
		t.Error(err, warnings)
	}
}

// TestSentence: fields of the problem decide how its sentence is built, not its words.
func TestSentence(t *testing.T) {
	for want, p := range map[string]Problem{
		"hostname is missing":             Predicate("hostname", "is missing"),
		"hostname contradicts domainname": Predicate("hostname", "contradicts %s", "domainname"),
		"hostname: is this a name?":       About("hostname", "is this a name?"),
		"no such file":                    About("", "no such file"),
		"mount (mounts[2]): no source":    About("mounts[2]", "mount (mounts[2]): no source"),
		"root.path: no such directory":    About("root.path", "root.path: no such directory"),
	} {
		if got := p.Sentence(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := p.Error(); got != "config.json: "+want {
			t.Errorf("got %q", got)
		}
	}
}
