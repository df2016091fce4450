package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const head = `package p

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/linux"
)

func f() {
`

// TestRules has a line for each construct that is refused, and a similar one that is not.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		code string
		rule string // "" for nothing
	}{
		{`f, err := os.Open(name)`, "path"},
		{`err := os.MkdirAll(dir, 0o755)`, "path"},
		{`_ = os.Remove(name)`, "path"},
		{`remove := os.Remove`, "path"},
		{`err := filepath.WalkDir(dir, nil)`, "path"},
		{`err := unix.Mkdir(dir, 0o755)`, "path"},
		{`err := syscall.Chmod(name, 0o755)`, "path"},
		{`err := unix.Mount("proc", target, "proc", 0, "")`, "path"},
		{`fd, err := unix.Openat(unix.AT_FDCWD, name, unix.O_PATH|unix.O_CLOEXEC, 0)`, "path"},
		{`data, err := linux.ReadFollow(name, 10)`, "path"},
		{`c.Statx(program.Cwd(), name, 0, st)`, "path"},
		{`err := unix.Mkdirat(dir, name, 0o755)`, ""},
		{`fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_CLOEXEC, 0)`, ""},
		{`f := os.NewFile(uintptr(fd), name)`, ""},
		{`c.Openat2(c.root, name, program.Lookup{Flags: unix.O_PATH | unix.O_CLOEXEC})`, ""},
		{`f.Stat()`, ""},

		{`real, err := filepath.EvalSymlinks(name)`, "links"},

		{`v := spec.Annotations["a"]`, "annotations"},
		{`for k := range b.Spec.Annotations {` + "\n}", "annotations"},
		{`scope(s.Annotations)`, "annotations"},
		{`all := s.Annotations`, "annotations"},
		{`_ = state{Annotations: s.Annotations}`, ""},
		{`_ = program.Annotations(s)`, ""},

		{`fd, err := unix.Openat(dir, name, unix.O_PATH, 0)`, "cloexec"},
		{`fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)`, "cloexec"},
		{`fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)`, ""},
		{`fd, err := unix.Dup(3)`, "cloexec"},
		{`err := unix.Dup2(3, 4)`, "cloexec"},
		{`err := unix.Dup3(3, 4, 0)`, "cloexec"},
		{`fd, _, err := unix.Accept(3)`, "cloexec"},
		{`fd, _, err := unix.Accept4(3, unix.SOCK_CLOEXEC)`, ""},
		{`err := unix.Pipe(p)`, "cloexec"},
		{`err := syscall.Pipe2(p, syscall.O_NONBLOCK)`, "cloexec"},
		{`err := unix.Pipe2(p, unix.O_CLOEXEC|unix.O_NONBLOCK)`, ""},
		{`fd, err := unix.MemfdCreate("x", unix.MFD_ALLOW_SEALING)`, "cloexec"},
		{`fd, err := unix.FcntlInt(3, unix.F_DUPFD, 0)`, "cloexec"},
		{`fd, err := unix.FcntlInt(3, unix.F_DUPFD_CLOEXEC, 0)`, ""},
		{`n, oobn, _, _, err := unix.Recvmsg(3, b, oob, 0)`, "cloexec"},
		{`n, oobn, _, _, err := unix.Recvmsg(3, b, oob, unix.MSG_CMSG_CLOEXEC)`, ""},
		{`open := unix.Openat`, "cloexec"},
		{`fd, _, e := unix.RawSyscall6(unix.SYS_OPENAT, d, p, unix.O_PATH, 0, 0, 0)`, "cloexec"},
		{`fd, _, e := unix.RawSyscall6(unix.SYS_OPENAT, d, p, unix.O_PATH|unix.O_CLOEXEC, 0, 0, 0)`, ""},
		{`how := unix.OpenHow{Flags: unix.O_PATH}`, "cloexec"},
		{`how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC}`, ""},
		{`var how unix.OpenHow`, "cloexec"},
		{`how := program.Lookup{Flags: unix.O_PATH}`, "cloexec"},
		{`c.Openat(dir, name, unix.O_PATH, 0)`, "cloexec"},
		{`c.OpenTree(dir, "", unix.OPEN_TREE_CLONE)`, "cloexec"},
		{"flags := unix.O_PATH | unix.O_CLOEXEC\nflags |= unix.O_DIRECTORY\nunix.Openat(dir, name, flags, 0)", ""},
		{"flags := unix.O_PATH\nunix.Openat(dir, name, flags, 0)", "cloexec"},
		{"flags := unix.O_PATH | unix.O_CLOEXEC\nflags = 0\nunix.Openat(dir, name, flags, 0)", "cloexec"},
		{"flags := unix.O_PATH | unix.O_CLOEXEC\nflags &^= unix.O_CLOEXEC\nunix.Openat(dir, name, flags, 0)", "cloexec"},

		{`ok := strings.HasPrefix(name, part)`, ""},
		{`ok := strings.HasPrefix(path, base)`, "prefix"},
		{`ok := strings.HasPrefix(x.dest, y)`, "prefix"},
		{`ok := strings.HasPrefix(p, "/proc")`, "prefix"},
		{`ok := strings.HasPrefix(filepath.Clean(p), q)`, "prefix"},
		{`rel := strings.TrimPrefix(p, rootfs)`, "prefix"},
		{`ok := strings.HasPrefix(rel, "..")`, "prefix"},
		{`ok := strings.HasPrefix(path, base+"/")`, ""},
		{`ok := strings.HasPrefix(path, "/proc/")`, ""},
		{`ok := strings.HasPrefix(line, "Uid:")`, ""},

		{`cmd := exec.Command("newuidmap", a)`, "exec"},
		{`cmd := exec.Command(name)`, "exec"},
		{`cmd := exec.CommandContext(ctx, "sh")`, "exec"},
		{`p, err := exec.LookPath("sh")`, "exec"},
		{`cmd := exec.Command("/usr/bin/newuidmap", a)`, ""},

		{`uid, err := strconv.Atoi(s)`, "atoi"},
		{`uid, err := strconv.ParseUint(s, 10, 32)`, ""},
	} {
		// Several rules may apply; look for the named one.
		found, err := check("p.go", []byte(head+c.code+"\n}\n"), true, map[string]bool{})
		if err != nil {
			t.Errorf("%s: %v", c.code, err)
			continue
		}
		all := strings.Join(found, "\n")
		switch {
		case c.rule == "" && all != "":
			t.Errorf("%s: %s", c.code, all)
		case c.rule != "" && !strings.Contains(all, ": "+c.rule+": "):
			t.Errorf("%s: not refused by %s: %s", c.code, c.rule, all)
		}
	}
}

func TestLibraryNamesNoFlags(t *testing.T) {
	for code, refused := range map[string]bool{
		`text := "it is paused (use --ignore-paused to override)"`: true,
		`text := "(--force kills it first)"`:                       true,
		"text := `--cgroup: no`":                                   true,
		`text := "a -- b"`:                                         false,
		`text := "----"`:                                           false,
	} {
		for name, applies := range map[string]bool{"libcontainer/p.go": true, internal + "initprog/compile/p.go": true, "p.go": false} {
			found, err := check(name, []byte(head+code+"\n}\n"), false, map[string]bool{})
			if err != nil || strings.Contains(strings.Join(found, "\n"), ": flag: ") != (refused && applies) {
				t.Errorf("%s in %s: %q, %v", code, name, found, err)
			}
		}
	}
}

// TestLibraryDoesNothingProcessWide: what affects the whole process is refused in the library,
// and only there.
func TestLibraryDoesNothingProcessWide(t *testing.T) {
	for code, refused := range map[string]bool{
		`err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)`: true,
		`pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)`:         true,
		`pid, err := unix.Wait4(-pgid, nil, 0, nil)`:                 true,
		`pid, err := unix.Wait4(pid, nil, 0, nil)`:                   false,
		`n, err := os.Stdin.Read(b)`:                                 true,
		`err := os.Setenv("A", "b")`:                                 true,
		`value := os.Getenv("A")`:                                    false,
		`old := syscall.Umask(0)`:                                    true,
		`err := unix.Chdir("/")`:                                     true,
	} {
		for name, applies := range map[string]bool{
			"libcontainer/p.go": true, internal + "host/p/p.go": true, internal + "initprog/compile/p.go": false, "internal/foreground/p.go": false, "p.go": false,
		} {
			found, err := check(name, []byte(head+code+"\n}\n"), false, map[string]bool{})
			if err != nil || strings.Contains(strings.Join(found, "\n"), ": process: ") != (refused && applies) {
				t.Errorf("%s in %s: %q, %v", code, name, found, err)
			}
		}
	}
	found, err := check("libcontainer/p.go", []byte("package p\nimport \"os/signal\"\nvar _ = signal.Notify\n"), false, map[string]bool{})
	if err != nil || len(found) != 1 || !strings.Contains(found[0], ": process: ") {
		t.Errorf("%q, %v", found, err)
	}
}

func TestOtherPackagesMayUsePaths(t *testing.T) {
	found, err := check("p.go", []byte(head+"f, err := os.Open(name)\nfd, err := unix.Dup(3)\n}\n"), false, map[string]bool{})
	if err != nil || len(found) != 1 || !strings.Contains(found[0], "p.go:19: cloexec") {
		t.Errorf("%v, %v", found, err)
	}
}

func TestImportsByOtherNames(t *testing.T) {
	for _, source := range []string{
		"package p\nimport system \"os\"\nvar _ = system.Open\n",
		"package p\nimport . \"os\"\nvar _ = Open\n",
		"package p\nimport \"io/ioutil\"\nvar _ = ioutil.ReadFile\n",
	} {
		if found, err := check("p.go", []byte(source), true, map[string]bool{}); err != nil || len(found) == 0 {
			t.Errorf("%s: %v, %v", source, found, err)
		}
	}
}

func TestExceptions(t *testing.T) {
	for _, c := range []struct{ code, want string }{
		{"//allow:path the host's directory\nos.Open(name)", ""},
		{"os.Open(name) //allow:path the host's directory", ""},
		{"//allow:path the host's directory\n\nos.Open(name)", ": path: "},
		{"//allow:atoi a wrong rule\nos.Open(name)", ": path: "},
		{"//allow:path\nos.Open(name)", "needs a reason"},
		{"//allow:path because\nos.Open(name)", "needs a reason"},
		{"//allow:everything that I want\nos.Open(name)", "no rule"},
		{"//allow:path the host's directory\nos.Getpid()", "nothing here needs"},
	} {
		found, err := check("p.go", []byte(head+c.code+"\n}\n"), true, map[string]bool{})
		all := strings.Join(found, "\n")
		if err != nil || c.want == "" && all != "" || !strings.Contains(all, c.want) {
			t.Errorf("%s: %v, %v", c.code, found, err)
		}
	}
}

// TestTree: the whole product has no findings, and an error that is added to a copy of one of its
// files is found, also in a new directory.
func TestTree(t *testing.T) {
	found, err := checkTree("../..")
	if err != nil || len(found) != 0 {
		t.Fatalf("%v, %v", found, err)
	}
	for dir := range trusted {
		if _, err := os.Stat(filepath.Join("../..", dir)); err != nil {
			t.Errorf("trusted: %v", err)
		}
	}
	for dir := range layers {
		if _, err := os.Stat(filepath.Join("../..", dir)); err != nil {
			t.Errorf("layers: %v", err)
		}
	}
	top := t.TempDir()
	for name, source := range map[string]string{
		"libcontainer/internal/host/hostfs/x.go":      "package tree\nimport \"os\"\nvar _ = os.Open\n",
		"libcontainer/internal/host/hostfs/x_test.go": "package tree\nimport \"os\"\nvar _ = os.Open\n",
		"libcontainer/internal/new/x.go":              "package new\nimport \"path/filepath\"\nvar _ = filepath.EvalSymlinks\n",
		"tests/x.go":                                  "package main\nimport \"path/filepath\"\nvar _ = filepath.EvalSymlinks\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(top, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(top, name), []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, err = checkTree(top)
	if err != nil || len(found) != 3 || !strings.HasPrefix(found[0], "libcontainer/internal/host/hostfs/x.go:3: path:") || !strings.HasPrefix(found[1], "libcontainer/internal/new/x.go:3: links:") ||
		found[2] != "libcontainer/internal/new: layers: this package is not in the table in tests/lint/layers.go" {
		t.Errorf("%q, %v", found, err)
	}
	if _, err := checkTree(t.TempDir()); err == nil {
		t.Error("a directory without anything to check is no success")
	}
}

func TestLayers(t *testing.T) {
	for _, c := range []struct{ dir, imports, want string }{
		{".", "libcontainer", ""},
		{".", internal + "state", "may not import"},
		{"libcontainer", internal + "host/cgroup", ""},
		{"libcontainer", "internal/foreground", "may not import"},
		{"libcontainer", "internal/foreground/signals", "may not import"},
		{internal + "host/cgroup", "libcontainer", "may not import"},
		{internal + "host/cgroup", internal + "oci/jsonpos", ""},
		{internal + "initprog/program", internal + "initprog/launch", "may not import"},
		{internal + "new", internal + "linux", "not in the table"},
	} {
		found := strings.Join(checkLayers(map[string]map[string]bool{c.dir: {c.imports: true}}), "\n")
		if c.want == "" && found != "" || !strings.Contains(found, c.want) {
			t.Errorf("%s imports %s: %s", c.dir, c.imports, found)
		}
	}
}
