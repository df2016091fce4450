package libcontainer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseHome(t *testing.T) {
	const passwd = "root:x:0:0:root:/root:/bin/sh\nbad line\n1000:x:5:5::/wrong:\nuser:x:1000:1000::/home/user:/bin/sh\nempty:x:7:7:::\nlast:x:8:8::/last:sh"
	for uid, want := range map[uint32]string{0: "/root", 1000: "/home/user", 5: "/wrong", 7: "/", 8: "/last", 9: "/"} {
		if got := parseHome([]byte(passwd), uid, "/"); got != want {
			t.Errorf("uid %d: %q, want %q", uid, got, want)
		}
	}
}

func TestHomeOfWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, dir, "/dev/zero"} {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := readHome(fd, 0, "/"); got != "/" {
			t.Errorf("%s: %q", path, got)
		}
		unix.Close(fd)
	}
	// A file that is too large to read.
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, []byte(strings.Repeat("x", maxPasswd)+"\nroot:x:0:0::/far:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(big, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if got := readHome(fd, 0, "/"); got != "/" {
		t.Errorf("read more than the bound: %q", got)
	}
}

func FuzzParseHome(f *testing.F) {
	f.Add([]byte("root:x:0:0:root:/root:/bin/sh\n"), uint32(0))
	f.Fuzz(func(t *testing.T, passwd []byte, uid uint32) {
		if home := parseHome(passwd, uid, "/"); home == "" || strings.ContainsRune(home, 0) {
			t.Errorf("home is %q", home)
		}
	})
}

func TestPidFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(path, []byte("old contents"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writePidFile(path, 4711); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "4711" {
		t.Errorf("%q, %v", got, err)
	}
	if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 1 {
		t.Error("something is left", names)
	}
	if err := writePidFile(filepath.Join(path, "x"), 1); err == nil || !strings.HasPrefix(err.Error(), "pid file: ") {
		t.Error(err)
	}
}

// TestLayers: the options of an overlay name the directories that it is made of.
func TestLayers(t *testing.T) {
	got := layers(`rw,lowerdir=/a:/b\134:c:/d\040e,upperdir=/up\054per,workdir=/work,lowerdir+=/f:g,index=off`)
	want := []string{"/a", "/b:c", "/d e", "/up,per", "/f:g"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestFollow: the links of a path are followed until it enters the rootfs.
func TestFollow(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	rootfs := filepath.Join(top, "bundle", "rootfs")
	for _, dir := range []string{filepath.Join(rootfs, "a"), filepath.Join(top, "other")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"alias": "bundle", "abs": rootfs + "/a/", "late": "alias/rootfs/missing/x", "loop": "loop", "bundle/rootfs/out": top + "/other", "similar": rootfs + "2",
	} {
		if err := os.Symlink(target, filepath.Join(top, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		path, rel string
		inside    bool
	}{
		{"bundle/rootfs", "", true},
		{"alias/rootfs/", "", true},
		{"alias//rootfs//a/./b", "a/b", true},
		{"abs", "a", true},
		{"abs/x", "a/x", true},
		{"late", "missing/x", true},
		{"alias/rootfs/out/x", "out/x", true}, // links in the rootfs are left to the program
		{"other/../alias/rootfs/a", "a", true},
		{"alias/rootfs/a/../b", "b", true},
		{"alias/rootfs/../other", "", false},
		{"alias/rootfs/a/../../../other", "../../other", true},
		{"alias/rootfs/./../other", "", false},
		{"alias/rootfs/out/../..", "..", true},
		{"bundle", "", false},
		{"similar", "", false},
		{"loop/x", "", false},
		{"missing/x", "", false},
	} {
		rel, ok := follow(top+"/"+c.path, rootfs)
		if ok != c.inside || ok && rel != c.rel {
			t.Errorf("%s: %q, %v", c.path, rel, ok)
		}
	}
	for path, want := range map[string]string{
		"/": "/", top + "/alias/rootfs/out": top + "/other", top + "/alias/new/x": top + "/bundle/new/x", top + "/other/..": top,
	} {
		if got := realPath(path); got != want {
			t.Errorf("%s: %s, not %s", path, got, want)
		}
	}
}
