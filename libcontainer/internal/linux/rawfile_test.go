package linux

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	for _, size := range []int{0, 1, 1023, 1024, 1025, 100_000} {
		want := bytes.Repeat([]byte("x"), size)
		path := filepath.Join(dir, "file")
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(unix.AT_FDCWD, path, size); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
		if size > 0 {
			if _, err := Read(unix.AT_FDCWD, path, size-1); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%d bytes with a limit of one less: %v", size, err)
			}
		}
	}
}

func TestWithoutSize(t *testing.T) {
	want, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Read(unix.AT_FDCWD, "/proc/self/limits", 1<<20); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{fifo: ErrNotRegular, dir: ErrNotRegular, "/dev/null": ErrNotRegular, link: unix.ELOOP, dir + "/none": fs.ErrNotExist} {
		if _, err := Read(unix.AT_FDCWD, path, 1000); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	if _, err := ReadFollow(link, 1<<20); err != nil {
		t.Error(err)
	}
}
