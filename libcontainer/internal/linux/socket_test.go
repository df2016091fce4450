package linux

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDial: sockets at paths that fit into an address, and at longer ones.
func TestDial(t *testing.T) {
	base := t.TempDir()
	for _, depth := range []int{0, 1, 2, 20} {
		dir := filepath.Join(base, strings.Repeat(strings.Repeat("d", 60)+"/", depth))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		short := filepath.Join(base, "short")
		_ = os.Remove(short)
		if err := os.Symlink(dir, short); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", filepath.Join(short, "s"))
		if err != nil {
			t.Fatal(err)
		}
		if err := try(filepath.Join(dir, "s")); err != nil {
			t.Errorf("depth %d: %v", depth, err)
		}
		_ = l.Close()
		if err := try(filepath.Join(dir, "s")); err == nil || err.Error() != "connect: no such file or directory" {
			t.Errorf("depth %d, after its end: %v", depth, err)
		}
	}
}

func TestTooLong(t *testing.T) {
	for path, want := range map[string]string{
		"@" + strings.Repeat("n", 107):                       "the name has 107 bytes, and 106 is the most",
		t.TempDir() + "/" + strings.Repeat("n", 108):         "the last component of the path has 108 bytes",
		"/no/such/" + strings.Repeat("d", 107) + "/socket":   "open /no/such/",
		"@" + strings.Repeat("n", 106):                       "connect: connection refused",
		"/dev/null/" + strings.Repeat("d", 107) + "/socket":  "not a directory",
		strings.Repeat("/"+strings.Repeat("d", 60), 3) + "/": "no such file or directory",
	} {
		if err := try(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %v, want %s", path, err, want)
		}
	}
}

func try(path string) error {
	fd, err := Dial(path, unix.SOCK_STREAM, time.Second)
	if err == nil {
		unix.Close(fd)
	}
	return err
}
