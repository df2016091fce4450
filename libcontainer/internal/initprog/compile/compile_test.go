package compile

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/golden"
	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/oci/bundle"
)

// testHost returns a host with two v1 hierarchies.
func testHost() Host {
	return Host{
		LastCap: 40, Capabilities: 1<<41 - 1,
		Look: func(p string) (Found, error) {
			if strings.Contains(p, "missing") {
				return Found{}, &os.PathError{Op: "stat", Path: p, Err: unix.ENOENT}
			}
			return Found{Dir: !strings.HasSuffix(p, "file")}, nil
		},
		ProcMounts: []string{"/sys", "/proc"},
		Cgroups: []Hierarchy{
			{Name: "cpu,cpuacct", Options: []string{"cpu", "cpuacct"}, Path: "/sys/fs/cgroup/cpu,cpuacct/demo"},
			{Name: "systemd", Options: []string{"none", "name=systemd"}, Path: "/sys/fs/cgroup/systemd/demo"},
		},
		CgroupJoin: []string{"/sys/fs/cgroup/cpu,cpuacct/demo/tasks", "/sys/fs/cgroup/systemd/demo/tasks"},
	}
}

func testInput(s *specs.Spec) Input {
	return Input{Bundle: &bundle.Bundle{Path: "/bundle", Rootfs: "/bundle/rootfs", Spec: s}, ID: "demo", Host: testHost()}
}

// listing returns the text by which programs are compared.
func listing(t *testing.T, out *Output) string {
	t.Helper()
	checkNames(t, out.Program)
	var b strings.Builder
	for _, s := range out.Sources {
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(source.Describe(s) + " " + string(data) + "\n")
	}
	if _, err := out.Program.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	for _, w := range out.Warnings {
		b.WriteString("warning: " + w.Sentence() + "\n")
	}
	return b.String()
}

// TestGolden compiles each testdata/NAME.json, which changes the default
// configuration, and compares with testdata/NAME.golden.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var c struct {
				NoPivot, NoNewKeyring bool
				Unprivileged          bool
				// run uses Direct and Makes.
				Direct, Makes bool
				Preserved     []bool
				Config        json.RawMessage
			}
			if err := json.Unmarshal(raw, &c); err != nil {
				t.Fatal(err)
			}
			spec, unknown, err := bundle.Decode(c.Config)
			if err != nil || len(unknown) > 0 {
				t.Fatal(err, unknown)
			}
			if problems, _ := bundle.Validate(spec); len(problems) > 0 {
				t.Fatal(problems)
			}
			in := testInput(spec)
			in.NoPivot, in.NoNewKeyring, in.Preserved = c.NoPivot, c.NoNewKeyring, c.Preserved
			in.Direct = c.Direct
			if c.Makes {
				in.Host.Maker = source.NewMaker(unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS)
			}
			if c.Unprivileged {
				in.Host.Capabilities, in.Host.OpensNothing, in.Host.CgroupJoin, in.Host.Cgroups = 0, true, nil, nil
			}
			out, err := Init(in)
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, strings.TrimSuffix(file, ".json")+".golden", listing(t, out))
		})
	}
}

// specWith returns a changed default configuration.
func specWith(change func(*specs.Spec)) *specs.Spec {
	s := bundle.Default()
	change(s)
	return s
}

// compileSpec compiles a changed default configuration.
func compileSpec(t *testing.T, change func(*specs.Spec)) (string, *Output, error) {
	t.Helper()
	out, err := Init(testInput(specWith(change)))
	if err != nil {
		return "", nil, err
	}
	return listing(t, out), out, nil
}

// index returns the index of a text in a listing; the test fails when it is missing.
func index(t *testing.T, listing, text string) int {
	t.Helper()
	i := strings.Index(listing, text)
	if i < 0 {
		t.Fatalf("the program has no %q:\n%s", text, listing)
	}
	return i
}

// TestOrder checks the orderings that security depends on.
func TestOrder(t *testing.T) {
	_, out, err := compileSpec(t, func(s *specs.Spec) {
		s.Process.NoNewPrivileges = true
		s.Root.Readonly = true
	})
	if err != nil {
		t.Fatal(err)
	}
	ordered(t, out, [][2]string{
		{at(stepPrivateMounts), at(stepAttachRootfs)},
		{at(stepAttachRootfs), at(stepMount, "proc", "/proc")},
		{at(stepMount, "tmpfs", "/dev"), at(stepDevice, "/dev/null")},
		{at(stepJoinCgroup), at(stepCgroupNamespace)},
		{at(stepCgroupNamespace), at(stepMountHierarchy)},
		{at(stepDevice, "/dev/null"), `pivot_root`},
		{`pivot_root`, at(stepReadonlyRoot)},
		{at(stepReadonlyRoot), at(stepMaskPath, "/proc/kcore")},
		{at(stepReadonlyPath, "/proc/sys"), at(stepMaskPath, "/proc/kcore")},
		{at(stepMaskPath, "/proc/kcore"), at(stepCloseSetup)},
		{at(stepCloseSetup), at(stepCwd)},
		{at(stepNoNewPrivs), at(stepUserID)},
		{at(stepBoundingSet), at(stepUserID)},
		{at(stepGroups), at(stepUserID)},
		{at(stepUserID), `getcwd`},
		{`getcwd`, at(stepCapabilities)},
		{at(stepCapabilities), at(stepFindCommand)},
		{at(stepFindCommand), at(stepAwaitStart)},
		{at(stepAwaitStart), at(stepCloseOthers)},
		{at(stepCloseOthers), `execve`},
	})
}

// TestRootfsHidesNothing: the rootfs is nowhere that a path leads to before the program has found its
// cgroups, and at its place only for hooks.
func TestRootfsHidesNothing(t *testing.T) {
	for _, hooks := range []bool{false, true} {
		_, out, err := compileSpec(t, func(s *specs.Spec) {
			if hooks {
				s.Hooks = &specs.Hooks{CreateContainer: []specs.Hook{{Path: "/bin/true"}}}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(trace(out)) {
			if strings.HasPrefix("\n"+line, at(stepAttachRootfs)) && strings.Contains(line, "move_mount") && !strings.Contains(line, `AT_FDCWD, "/"`) {
				t.Errorf("attached at a path: %s", line)
			}
		}
		if shown := strings.Contains(trace(out), at(stepShowRootfs)); shown != hooks {
			t.Errorf("hooks %v, at its place %v", hooks, shown)
		}
		if hooks {
			ordered(t, out, [][2]string{
				{at(stepJoinCgroup), at(stepShowRootfs)},
				{at(stepMountHierarchy), at(stepShowRootfs)},
				{at(stepShowRootfs), at(stepAwaitHooks)},
			})
		}
	}
}

// TestHides: a program is non-dumpable before another process has power over its user namespace
// or shares a namespace with it, and stays so as long as the runtime can work with it
// nevertheless.
func TestHides(t *testing.T) {
	const hide, show = "prctl(PR_SET_DUMPABLE, 0", "prctl(PR_SET_DUMPABLE, 1"
	joined := func(kind specs.LinuxNamespaceType) func(*specs.Spec) {
		return func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: "/proc/5/ns/x"})
		}
	}
	made := func(s *specs.Spec) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 1000, Size: 10}}
		s.Linux.GIDMappings = s.Linux.UIDMappings
	}
	for name, c := range map[string]struct {
		change func(*specs.Spec)
		before string
	}{
		"joined users": {joined(specs.UserNamespace), "setns("},
		"joined time":  {joined(specs.TimeNamespace), "setns("},
		"new users":    {made, "unshare(CLONE_NEWUSER"},
	} {
		l, _, err := compileSpec(t, c.change)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if index(t, l, hide) > index(t, l, c.before) || strings.Contains(l, show) {
			t.Errorf("%s: can be looked into:\n%s", name, l)
		}
	}
	in := testInput(specWith(made))
	in.Host.Capabilities = 0
	out, err := Init(in)
	if err != nil {
		t.Fatal(err)
	}
	if l := listing(t, out); !strings.Contains(l, show) || strings.Contains(l, hide) {
		t.Errorf("a runtime without privileges cannot look after this:\n%s", l)
	}
}

// TestRemountOfWhatWasMounted: a remount changes the mount that the program has made, even if its
// mount point was moved.
func TestRemountOfWhatWasMounted(t *testing.T) {
	tmpfs := func(dest string) specs.Mount { return specs.Mount{Destination: dest, Type: "tmpfs", Source: "tmpfs"} }
	again := func(dest string) specs.Mount {
		return specs.Mount{Destination: dest, Options: []string{"remount", "noexec"}}
	}
	for name, c := range map[string]struct {
		mounts []specs.Mount
		pinned bool
	}{
		"made":               {[]specs.Mount{tmpfs("/a/b"), again("/a/b/")}, true},
		"with one below":     {[]specs.Mount{tmpfs("/a"), tmpfs("/a/b"), again("/a")}, true},
		"with one beside":    {[]specs.Mount{tmpfs("/a/b"), tmpfs("/a/bc"), again("/a/b")}, true},
		"covered":            {[]specs.Mount{tmpfs("/a/b"), tmpfs("/a"), again("/a/b")}, false},
		"part of the rootfs": {[]specs.Mount{tmpfs("/a"), again("/b")}, false},
	} {
		_, out, err := compileSpec(t, func(s *specs.Spec) { s.Mounts, s.Linux.MaskedPaths = c.mounts, nil })
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		steps := ""
		for line := range strings.Lines(trace(out)) {
			if strings.HasPrefix("\n"+line, at(stepRemount)) {
				steps += line
			}
		}
		if strings.Contains(steps, "openat2") == c.pinned || !strings.Contains(steps, "NOEXEC") {
			t.Errorf("%s:\n%s", name, steps)
		}
	}
}

// TestNoPathsBelowTheRoot: before the pivot no file of the rootfs is named by a path of the host.
func TestNoPathsBelowTheRoot(t *testing.T) {
	_, out, err := compileSpec(t, func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/data", Source: "/src", Type: "bind", Options: []string{"bind", "ro"}})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range out.Program.Lines() {
		for _, arg := range l.Args {
			if strings.HasPrefix(arg, `"/bundle/rootfs`) && l.Call != "move_mount" {
				t.Errorf("a path below the rootfs is used: %d %s(%q)", l.Op, l.Call, l.Args)
			}
		}
	}
}

func TestSpecialFilesystemsAvoidLinks(t *testing.T) {
	for _, fstype := range []string{"proc", "sysfs", "devpts", "mqueue", "cgroup"} {
		if !special(fstype) {
			t.Errorf("%s is not special", fstype)
		}
	}
	l, _, err := compileSpec(t, func(s *specs.Spec) {})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, line := range strings.Split(l, "\n") {
		for _, dir := range []string{`"proc"`, `"sys"`, `"dev/pts"`, `"dev/mqueue"`, `"sys/fs/cgroup"`} {
			// Below the root, whose descriptor is a number; mounts that are looked into have
			// names.
			if regexp.MustCompile(`openat2\(\d+, ` + dir + ", ").MatchString(line) {
				found++
				if !strings.Contains(line, "RESOLVE_NO_SYMLINKS") {
					t.Errorf("%s may be a link: %s", dir, line)
				}
			}
		}
	}
	if found < 5 {
		t.Errorf("%d lookups in:\n%s", found, l)
	}
}

func TestHomeIsOnlySoughtWhenUnset(t *testing.T) {
	l, _, err := compileSpec(t, func(s *specs.Spec) { s.Process.Env = append(s.Process.Env, "HOME=/home/me"); s.Process.Rlimits = nil })
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(l, "etc/passwd") {
		t.Error("the program asks for the home directory")
	}
	for _, env := range [][]string{nil, {"HOME="}} {
		l, _, err := compileSpec(t, func(s *specs.Spec) { s.Process.Env = env })
		if err != nil {
			t.Fatal(err)
		}
		index(t, l, "etc/passwd")
	}
}

func TestCapabilitiesThatCannotBeGranted(t *testing.T) {
	s := bundle.Default()
	s.Process.Capabilities.Ambient = []string{"CAP_KILL"}
	in := testInput(s)
	in.Host.Capabilities &^= 1 << unix.CAP_AUDIT_WRITE
	out, err := Init(in)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, w := range out.Warnings {
		text += w.Sentence() + "\n"
	}
	for _, want := range []string{
		"process.capabilities.bounding: CAP_AUDIT_WRITE cannot be granted",
		"process.capabilities.ambient: CAP_KILL cannot be granted: they are not in the permitted and inheritable sets",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no warning %q in:\n%s", want, text)
		}
	}
}

func TestMissingSource(t *testing.T) {
	_, _, err := compileSpec(t, func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Source: "/missing", Options: []string{"bind"}})
	})
	if err == nil || !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), `bind mount "/missing" at "/x" (mounts[7]): source`) {
		t.Errorf("got %v", err)
	}
}

func TestExplanations(t *testing.T) {
	s := bundle.Default()
	s.Process.Args = []string{"nope"}
	out, err := Init(testInput(s))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for op := range out.Program.Len() {
		if n := out.Program.Note(op); n.Explain != nil {
			for e := unix.Errno(1); e < 134; e++ {
				if text := n.Explain(e); text != "" {
					if strings.Contains(text, "\n") || strings.Contains(text, "%!") {
						t.Errorf("op %d, errno %d: %q", op, e, text)
					}
					seen[text] = true
				}
			}
		}
	}
	for _, want := range []string{
		`exec: "nope": executable file not found in $PATH`,
		`chdir to cwd ("/") set in config.json failed: no such file or directory`,
		`mount "proc" at "/proc" (mounts[0]): mount point "/proc": it is reached through a symbolic link, which is refused here`,
	} {
		if !seen[want] {
			t.Errorf("nothing explains itself as %s", want)
		}
	}
}

// FuzzInit: a configuration that passes validation compiles or is refused, without a panic, and
// without more memory than a factor of its size.
func FuzzInit(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var c struct{ Config json.RawMessage }
		if err := json.Unmarshal(raw, &c); err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(c.Config))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, _, err := bundle.Decode(data)
		if err != nil {
			return
		}
		if problems, _ := bundle.Validate(spec); len(problems) > 0 {
			return
		}
		var out *Output
		if used := allocated(func() { out, err = Init(testInput(spec)) }); used > 16<<20+10_000*uint64(len(data)) {
			t.Fatalf("%d bytes were allocated for a configuration of %d", used, len(data))
		}
		if err != nil {
			return
		}
		_ = out.Program.Lines()
		_ = out.Program.Image()
	})
}
