package source

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// own identifies a namespace of this process.
func own(t *testing.T, name string) string {
	t.Helper()
	link, err := os.Readlink("/proc/self/ns/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func TestMaker(t *testing.T) {
	before := map[string]string{"net": own(t, "net"), "ipc": own(t, "ipc"), "uts": own(t, "uts")}
	m := NewMaker(unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNS | unix.CLONE_NEWPID)
	if got, want := m.Flags(), uint64(unix.CLONE_NEWNET|unix.CLONE_NEWIPC|unix.CLONE_NEWUTS); got != want {
		t.Fatalf("it makes %#x, not %#x", got, want)
	}
	m.Start()
	defer m.Close()
	for _, ns := range makeable[:2] { // the third is left for Close
		fd, err := New{Name: ns.name, Flag: ns.flag, Maker: m}.Open(nil)
		if errors.Is(err, unix.EPERM) {
			t.Skip("needs root:", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE); err != nil || uint64(kind) != ns.flag {
			t.Errorf("%s: type %#x, %v", ns.name, kind, err)
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s:[%d]", ns.name, st.Ino); got == before[ns.name] {
			t.Errorf("%s is that of this process", got)
		}
		if _, err := (New{Name: ns.name, Flag: ns.flag, Maker: m}).Open(nil); err == nil {
			t.Errorf("%s is given away twice", ns.name)
		}
	}
	left := m.fds[unix.CLONE_NEWUTS]
	m.Close()
	if _, err := unix.FcntlInt(uintptr(left), unix.F_GETFD, 0); !errors.Is(err, unix.EBADF) {
		t.Errorf("descriptor %d of a namespace that nobody took stays open: %v", left, err)
	}
	for name, link := range before {
		if now := own(t, name); now != link {
			t.Errorf("this process is in %s now", now)
		}
	}
}

// TestMakerSparesFirstThread: the first thread stands for the process, so it must not be
// the one that is lost.
func TestMakerSparesFirstThread(t *testing.T) {
	net := own(t, "net")
	for range 50 {
		m := NewMaker(unix.CLONE_NEWNET)
		m.Start()
		m.Close()
		if errors.Is(m.err, unix.EPERM) {
			t.Skip("needs root:", m.err)
		}
		if m.err != nil {
			t.Fatal(m.err)
		}
	}
	// The others end with their goroutines, the first one would stay as it is.
	if link, err := os.Readlink(fmt.Sprintf("/proc/self/task/%d/ns/net", os.Getpid())); err != nil || link != net {
		t.Errorf("the first thread is in %s (%v), not in %s", link, err, net)
	}
}

func TestNothingToMake(t *testing.T) {
	m := NewMaker(unix.CLONE_NEWIPC | unix.CLONE_NEWUTS) // they take no time
	if m != nil || m.Flags() != 0 {
		t.Errorf("a maker of %#x", m.Flags())
	}
	m.Start()
	m.Close()
}
