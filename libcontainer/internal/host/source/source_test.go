package source

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
}

func TestTreeIsDetachedAndReadonly(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	before, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	fd, err := Tree{What: "tree", Path: dir, Attrs: []Attr{{Set: unix.MOUNT_ATTR_RDONLY}}}.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Mkdirat(fd, "x", 0o755); err != unix.EROFS {
		t.Errorf("mkdir in the tree: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "y"), 0o755); err != nil {
		t.Errorf("mkdir in the source: %v", err)
	}
	if after, _ := os.ReadFile("/proc/self/mountinfo"); string(after) != string(before) {
		t.Error("the mounts of the host have changed")
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Error("the descriptor stays open across execve", flags, err)
	}
}

func TestTreeErrors(t *testing.T) {
	needRoot(t)
	_, err := Tree{What: `bind mount "/none"`, Property: "mounts[2]", Path: "/none/at/all"}.Open(nil)
	if err == nil || err.Error() != `bind mount "/none" (mounts[2]): no such file or directory` {
		t.Error(err)
	}
}

func TestNullDeviceIsVerified(t *testing.T) {
	needRoot(t)
	fd, err := Tree{What: "null", Path: "/dev/null", Node: Null}.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	for _, path := range []string{"/dev/zero", "/etc/passwd", "/"} {
		if fd, err := (Tree{What: "null", Path: path, Node: Null}).Open(nil); err == nil {
			unix.Close(fd)
			t.Errorf("%s is taken for the null device", path)
		}
	}
}

func TestNamespaceTypeIsVerified(t *testing.T) {
	ok := Namespace{Property: "p", Name: "network", Path: "/proc/self/ns/net", Flag: unix.CLONE_NEWNET}
	fd, err := ok.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	for path, want := range map[string]string{
		"/proc/self/ns/uts": "is a namespace of another type",
		"/etc/passwd":       "is not a namespace",
		"/none":             "no such file or directory",
	} {
		bad := ok
		bad.Path = path
		if _, err := bad.Open(nil); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestFifoDoesNotBlock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := exec.Command("mkfifo", path).Run(); err != nil {
		t.Skip(err)
	}
	if _, err := (Namespace{Name: "network", Path: path, Flag: unix.CLONE_NEWNET}).Open(nil); err == nil {
		t.Error("a fifo is taken for a namespace")
	}
}

// TestTreeWithoutLinks: a directory that has become a link meanwhile is not followed.
func TestTreeWithoutLinks(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "real", "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{"real/below": nil, "link/below": unix.ELOOP, "link": unix.ELOOP, "none": unix.ENOENT} {
		fd, err := Tree{What: name, Path: filepath.Join(dir, name), NoLinks: true, Dir: true}.Open(nil)
		if errors.Is(err, unix.EPERM) {

		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			unix.Close(fd)
		}
	}
}
