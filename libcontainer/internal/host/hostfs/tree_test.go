package hostfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openDir pins a directory.
func openDir(t testing.TB, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t testing.TB, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// TestMake runs with a umask that would change the modes.
func TestMake(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	for _, c := range []struct{ name, made string }{
		{"/a/b", "a/b"},
		{"a/../b/./c/", "b/c"},
		{"../../x", "x"},
		{"/relative/y", "missing/z/y"},
		{"/absolute", "etc/new"},
		{"/outside/x", "x"},
		{"/up/x", "x"},
		{"/chain/x", "missing/z/x"},
		{"/deep/down/x", "x"},
	} {
		for _, dir := range []bool{true, false} {
			top := t.TempDir()
			root := filepath.Join(top, "root")
			write(t, filepath.Join(root, "etc/passwd"), "")
			link(t, "missing/z", filepath.Join(root, "relative"))
			link(t, "/etc/new", filepath.Join(root, "absolute"))
			link(t, "../../../..", filepath.Join(root, "outside"))
			link(t, "/../../.", filepath.Join(root, "up"))
			link(t, "relative", filepath.Join(root, "chain"))
			link(t, "etc/..", filepath.Join(root, "deep"))
			link(t, "/", filepath.Join(root, "down"))
			if err := Make(openDir(t, root), c.name, Point{Dir: dir}, Self()); err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			st, err := os.Lstat(filepath.Join(root, c.made))
			if err != nil || st.IsDir() != dir || st.Mode().Perm() != map[bool]os.FileMode{true: 0o755, false: 0o644}[dir] {
				t.Errorf("%s: %v, %v", c.name, st, err)
			}
			// The second time everything exists already.
			if err := Make(openDir(t, root), c.name, Point{Dir: dir}, Self()); err != nil {
				t.Errorf("%s again: %v", c.name, err)
			}
			if names, _ := os.ReadDir(top); len(names) != 1 {
				t.Errorf("%s made something outside: %v", c.name, names)
			}
		}
	}
}

// TestMakeMode: the mode is that of the last directory only.
func TestMakeMode(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	root := t.TempDir()
	if err := Make(openDir(t, root), "/a/b", Point{Dir: true, Mode: 0o1777}, Self()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint32{"a": unix.S_IFDIR | 0o755, "a/b": unix.S_IFDIR | 0o1777} {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(root, name), &st); err != nil || st.Mode != want {
			t.Errorf("%s has mode %#o, %v", name, st.Mode, err)
		}
	}
}

// TestMakeNothingBehindLinks: a link to an existing target is followed, and nothing that only a
// link names is created.
func TestMakeNothingBehindLinks(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "etc/passwd"), "")
	link(t, "/etc", filepath.Join(root, "there"))
	link(t, "/missing", filepath.Join(root, "dangling"))
	link(t, "there/missing/..", filepath.Join(root, "partly"))
	fd := openDir(t, root)
	point := Point{Dir: true, NoDangling: true}
	if err := Make(fd, "/there", point, Self()); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"/dangling", "/dangling/x", "/partly/x"} {
		if err := Make(fd, name, point, Self()); !errors.Is(err, unix.ENOENT) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"/plain/x", "/there/x/y"} {
		if err := Make(fd, name, point, Self()); err != nil {
			t.Error(err)
		}
	}
}

func TestMakeWithoutLinks(t *testing.T) {
	root := t.TempDir()
	link(t, "b", filepath.Join(root, "a"))
	if err := Make(openDir(t, root), "/a/c", Point{Dir: true, NoLinks: true}, Self()); !errors.Is(err, unix.ELOOP) {
		t.Error(err)
	}
	if names, err := os.ReadDir(root); err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
}

// TestMakeLink: the link is created in the tree, and something else in its place stays.
func TestMakeLink(t *testing.T) {
	top := t.TempDir()
	root := filepath.Join(top, "root")
	write(t, filepath.Join(root, "file"), "")
	link(t, "../../outside", filepath.Join(root, "up"))
	link(t, "missing/dir", filepath.Join(root, "dangling"))
	for range 2 {
		for name, made := range map[string]string{"/l": "l", "/up/l": "outside/l", "/dangling/x/l": "missing/dir/x/l"} {
			if err := Make(openDir(t, root), name, Point{Link: "/else/where"}, Self()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if target, err := os.Readlink(filepath.Join(root, made)); err != nil || target != "/else/where" {
				t.Errorf("%s: %q, %v", name, target, err)
			}
		}
	}
	for _, name := range []string{"/file", "/up", "/missing"} {
		var other *NotThatLink
		if err := Make(openDir(t, root), name, Point{Link: "/else/where"}, Self()); !errors.As(err, &other) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if names, _ := os.ReadDir(top); len(names) != 1 {
		t.Errorf("something was made outside: %v", names)
	}
}

func TestMakeErrors(t *testing.T) {
	root := t.TempDir()
	link(t, "b", filepath.Join(root, "a"))
	link(t, "a", filepath.Join(root, "b"))
	write(t, filepath.Join(root, "file"), "")
	for name, want := range map[string]error{"/a": unix.ELOOP, "/a/x": unix.ELOOP, "/file/x": unix.ENOTDIR, "/" + strings.Repeat("n", 300): unix.ENAMETOOLONG} {
		if err := Make(openDir(t, root), name, Point{Dir: true}, Self()); !errors.Is(err, want) {
			t.Errorf("%.20s: %v", name, err)
		}
	}
}

// TestMakeAsAnother: what is created belongs to the owner, and only the owner's permissions are
// used.
func TestMakeAsAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	defer unix.Umask(unix.Umask(0o077))
	root := t.TempDir()
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	other := Owner{1234, 4321}
	err := Make(openDir(t, root), "/a", Point{Dir: true}, other)
	var denied *Denied
	if !errors.Is(err, unix.EACCES) || !errors.As(err, &denied) || denied.Dir != "/" || denied.UID != 0 {
		t.Errorf("in a directory of root: %v, %+v", err, denied)
	}
	if err := os.Chown(root, other.UID, other.GID); err != nil {
		t.Fatal(err)
	}
	if err := Make(openDir(t, root), "/a/b", Point{}, other); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "a/b"} {
		var st unix.Stat_t
		want := map[string]uint32{"a": unix.S_IFDIR | 0o755, "a/b": unix.S_IFREG | 0o644}[name]
		if err := unix.Lstat(filepath.Join(root, name), &st); err != nil || int(st.Uid) != other.UID || int(st.Gid) != other.GID || st.Mode != want {
			t.Errorf("%s belongs to %d:%d and has mode %#o, %v", name, st.Uid, st.Gid, st.Mode, err)
		}
	}
	// A copy is made with all privileges; the owner matters only to a process that has none.
	to := t.TempDir()
	write(t, filepath.Join(root, "a/secret"), "x")
	if err := os.Chmod(filepath.Join(root, "a/secret"), 0); err != nil {
		t.Fatal(err)
	}
	if err := Copy(openDir(t, root), openDir(t, to), Root{}, other, direct{}); err != nil {
		t.Error(err)
	}
	// This process has its own identity again.
	if err := os.Mkdir(filepath.Join(root, "mine"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Make(openDir(t, root), "/mine/x", Point{Dir: true}, Self()); err != nil {
		t.Error(err)
	}
}

// TestMakeInARace: an attacker who swaps a directory for a link to outside gets nothing created
// there.
func TestMakeInARace(t *testing.T) {
	top := t.TempDir()
	root, outside := filepath.Join(top, "root"), filepath.Join(top, "outside")
	for _, d := range []string{filepath.Join(root, "dir"), outside} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link(t, outside, filepath.Join(root, "link"))
	fd, stop, stopped := openDir(t, root), make(chan struct{}), make(chan struct{})
	dir := openDir(t, filepath.Join(root, "dir"))
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(fd, "dir", fd, "link", unix.RENAME_EXCHANGE)
			}
		}
	}()
	for i := range 8000 {
		// It may fail, but must not create anything outside.
		_ = Make(fd, "/dir/new/x", Point{Dir: i%2 == 0}, Self())
		// By the descriptor: the path may lead outside, and so remove what is looked for.
		_ = os.RemoveAll(fmt.Sprintf("/proc/self/fd/%d/new", dir))
	}
	close(stop)
	<-stopped
	if names, err := os.ReadDir(outside); err != nil || len(names) > 0 {
		t.Errorf("outside has %v, %v", names, err)
	}
}

func FuzzMake(f *testing.F) {
	f.Add("/a/b", "../../x", "c")
	f.Add("/l/l/l", "l/../l", "/")
	f.Fuzz(func(t *testing.T, name, target, other string) {
		if strings.ContainsRune(name+target+other, 0) || target == "" || other == "" {
			return
		}
		top := t.TempDir()
		root := filepath.Join(top, "root")
		if err := os.Mkdir(root, 0o755); err != nil {
			t.Fatal(err)
		}
		_ = os.Symlink(target, filepath.Join(root, "l"))
		_ = os.Symlink(other, filepath.Join(root, "a"))
		fd := openDir(t, root)
		err := Make(fd, name, Point{Dir: true}, Self())
		if names, _ := os.ReadDir(top); len(names) != 1 {
			t.Errorf("something was made outside: %v", names)
		}
		if err == nil && name != "" {
			d, err := unix.Openat2(fd, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
			if err != nil {
				t.Errorf("%q does not exist: %v", name, err)
			} else {
				unix.Close(d)
			}
		}
	})
}

func TestCopy(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	from, to := t.TempDir(), t.TempDir()
	write(t, filepath.Join(from, "file"), "text")
	write(t, filepath.Join(from, "sub/deep/file"), strings.Repeat("x", 1<<20))
	link(t, "../file", filepath.Join(from, "sub/link"))
	if err := unix.Mkfifo(filepath.Join(from, "fifo"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(from, "sub/deep/file"), 0o4711|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	old := time.Unix(981173106, 5)
	for _, name := range []string{"file", "sub/deep"} {
		if err := os.Chtimes(filepath.Join(from, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	hasXattr := unix.Setxattr(filepath.Join(from, "file"), "user.note", []byte("hello"), 0) == nil
	sparse := filepath.Join(from, "sparse")
	write(t, sparse, "start")
	if err := os.Truncate(sparse, 1<<30); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(from, 0o751); err != nil {
		t.Fatal(err)
	}
	if err := Copy(openDir(t, from), openDir(t, to), Root{Mode: true, UID: true, GID: true}, Self(), direct{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "file", "sub", "sub/deep", "sub/deep/file", "sub/link", "fifo", "sparse"} {
		var a, b unix.Stat_t
		if err := unix.Lstat(filepath.Join(from, name), &a); err != nil {
			t.Fatal(err)
		}
		if err := unix.Lstat(filepath.Join(to, name), &b); err != nil {
			t.Error(err)
			continue
		}
		same := a.Mode == b.Mode && a.Uid == b.Uid && a.Gid == b.Gid && (a.Mtim == b.Mtim || name == "") && (a.Size == b.Size || a.Mode&unix.S_IFMT == unix.S_IFDIR)
		if !same {
			t.Errorf("%q: %+v became %+v", name, a, b)
		}
		if name == "sparse" && b.Blocks > 1000 {
			t.Errorf("a hole has become %d blocks", b.Blocks)
		}
	}
	if got, err := os.ReadFile(filepath.Join(to, "sub/deep/file")); err != nil || string(got) != strings.Repeat("x", 1<<20) {
		t.Error(len(got), err)
	}
	if got, err := os.Readlink(filepath.Join(to, "sub/link")); err != nil || got != "../file" {
		t.Error(got, err)
	}
	if hasXattr {
		value := make([]byte, 10)
		if n, err := unix.Getxattr(filepath.Join(to, "file"), "user.note", value); err != nil || string(value[:n]) != "hello" {
			t.Error(string(value[:n]), err)
		}
	}
}

func TestCopyTakesNothingOverThatItShouldNot(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	if err := os.Chmod(from, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(to, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := Copy(openDir(t, from), openDir(t, to), Root{}, Self(), direct{}); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(to); err != nil || st.Mode().Perm() != 0o750 {
		t.Error(st.Mode(), err)
	}
}

func TestCopyTooDeep(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(from, strings.Repeat("d/", maxDepth+2)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Copy(openDir(t, from), openDir(t, to), Root{}, Self(), direct{}); err == nil || !strings.Contains(err.Error(), "directories deep") {
		t.Error(err)
	}
}

// TestCopyLinks: hard links are kept, also where paths to them are longer than paths can be.
func TestCopyLinks(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	write(t, filepath.Join(from, "a"), "text")
	long := strings.Repeat("x", 200)
	at := openDir(t, from)
	for range 30 {
		if err := unix.Mkdirat(at, long, 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(at, long, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(next)
		at = next
	}
	top := openDir(t, from)
	for i, dir := range []int{top, top, at, at} {
		if err := unix.Linkat(top, "a", dir, fmt.Sprintf("link%d", i), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := Copy(top, openDir(t, to), Root{}, Self(), direct{}); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(to, "link1"), &st); err != nil || st.Nlink != 5 {
		t.Errorf("%d links, %v", st.Nlink, err)
	}
}

// direct makes files itself.
type direct struct{}

func (direct) Mkdir(dir int, name string, mode uint32) error { return unix.Mkdirat(dir, name, mode) }

func (direct) Mknod(dir int, name string, mode uint32) error { return unix.Mknodat(dir, name, mode, 0) }

func (direct) Symlink(target string, dir int, name string) error {
	return unix.Symlinkat(target, dir, name)
}

func (direct) Copy(to, from int, most uint32) (int, error) {
	return unix.Sendfile(to, from, nil, int(most))
}
