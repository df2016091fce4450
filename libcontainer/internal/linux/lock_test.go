package linux

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLockholder(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "lock")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := Lockholder(int(f.Fd())); got != "another process" {
		t.Error(got)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if got, want := Lockholder(int(f.Fd())), fmt.Sprintf("process %d (", os.Getpid()); !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s...", got, want)
	}
	if got := Lockholder(-1); got != "another process" {
		t.Error(got)
	}
}

func TestLockholderOfText(t *testing.T) {
	const text = `1: FLOCK  ADVISORY  WRITE 11 00:1a:4711 0 EOF
1: -> FLOCK  ADVISORY  WRITE 12 00:1a:4711 0 EOF
2: POSIX  ADVISORY  WRITE 13 fe:00:4712 0 EOF
3: FLOCK  ADVISORY  READ 14 00:1a:14711 0 EOF
4: FLOCK  ADVISORY  WRITE -1 00:1a:4713 0 EOF
5: FLOCK
`
	for inode, want := range map[uint64]int{4711: 11, 4712: 0, 14711: 14, 4713: 0, 1: 0} {
		if got := lockholder(text, inode); got != want {
			t.Errorf("%d: %d, want %d", inode, got, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for text, want := range map[string]string{
		"a\x00b c\x00": "a b c", "\x1b[31m\x00é": "?[31m é", strings.Repeat("x", 300): strings.Repeat("x", 200) + "...",
	} {
		if got := commandLine(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
