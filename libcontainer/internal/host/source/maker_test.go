package source

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux/aside"
)

// own returns the identity of a namespace of this process.
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
	left := m.fds[2]
	m.Close()
	if _, err := unix.FcntlInt(uintptr(left.Int()), unix.F_GETFD, 0); !errors.Is(err, unix.EBADF) {
		t.Errorf("descriptor %d of a namespace that nobody took stays open: %v", left, err)
	}
	for name, link := range before {
		if now := own(t, name); now != link {
			t.Errorf("this process is in %s now", now)
		}
	}
}

// TestMakerLeavesNothing: no thread of this process is in other namespaces, and no process is
// left.
func TestMakerLeavesNothing(t *testing.T) {
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
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		if link, err := os.Readlink("/proc/self/task/" + thread.Name() + "/ns/net"); err == nil && link != net {
			t.Errorf("a thread is in %s, not in %s", link, net)
		}
	}
	if pid, err := unix.Wait4(-1, nil, unix.WALL|unix.WNOHANG, nil); !errors.Is(err, unix.ECHILD) {
		t.Errorf("process %d is left (%v)", pid, err)
	}
}

// TestMakerUnderLoad: the process uses this process's memory while this process moves stacks,
// collects garbage and is interrupted.
func TestMakerUnderLoad(t *testing.T) {
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for keep := [][]byte{}; ; {
				select {
				case <-stop:
					return
				default:
				}
				if keep = append(keep, make([]byte, 5000)); len(keep) > 100 {
					keep = nil
					runtime.GC()
				}
				deep(50)
			}
		})
	}
	defer busy.Wait()
	defer close(stop)
	for range 100 {
		m := NewMaker(unix.CLONE_NEWNET | unix.CLONE_NEWUTS)
		m.Start()
		deep(200)
		fd, err := New{Flag: unix.CLONE_NEWUTS, Maker: m}.Open(nil)
		if errors.Is(err, unix.EPERM) {
			t.Skip("needs root:", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE); err != nil || kind != unix.CLONE_NEWUTS {
			t.Fatalf("type %#x, %v", kind, err)
		}
		unix.Close(fd)
		m.Close()
	}
}

// deep makes the stack of the goroutine grow.
func deep(n int) byte {
	var room [512]byte
	if n > 0 {
		room[n%512] = deep(n - 1)
	}
	return room[n%512]
}

// The error of a failed call names the call and its object.
func TestMakerFails(t *testing.T) {
	m := NewMaker(unix.CLONE_NEWNET)
	m.flags |= unix.CLONE_PTRACE // unshare refuses this flag
	m.Start()
	defer m.Close()
	_, err := New{Flag: unix.CLONE_NEWNET, Maker: m}.Open(nil)
	if want := "make the other namespaces (linux.namespaces): unshare: invalid argument"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	calls := make([]aside.Call, callOpen)
	for done := range len(calls) {
		if err := m.failure(calls, done); err == nil || !strings.HasSuffix(err.Error(), "was killed") {
			t.Errorf("after %d calls: %v", done, err)
		}
	}
}

func TestNothingToMake(t *testing.T) {
	m := NewMaker(unix.CLONE_NEWIPC | unix.CLONE_NEWUTS) // not worth a thread
	if m != nil || m.Flags() != 0 {
		t.Errorf("a maker of %#x", m.Flags())
	}
	m.Start()
	m.Close()
}
