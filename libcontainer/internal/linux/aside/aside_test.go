//go:build amd64 || arm64

package aside

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// emulated reports whether an emulator of user programs runs the test. It does not support
// processes that share memory. With CLONE_VFORK it makes a copy: its calls have their effects,
// but their results are not visible.
func emulated() bool { return os.Getenv("CORACLE_TEST_RUNNER") != "" }

// blocked returns the signals that this thread blocks.
func blocked(t *testing.T) string {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/status", unix.Gettid()))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "SigBlk:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

func TestCalls(t *testing.T) {
	if emulated() {
		defer func(real uintptr) { flags = real }(flags)
		flags = unix.CLONE_VM | unix.CLONE_VFORK | uintptr(unix.SIGCHLD)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	text := []byte("abc")
	write := func(fd uintptr, first *int, n int) Call {
		return Call{Number: unix.SYS_WRITE, Args: [3]uintptr{fd, Address(&text[n]), 1}, First: first}
	}
	fd := int(w.Fd())
	calls := []Call{write(uintptr(fd), nil, 0), write(0, &fd, 1), {Number: unix.SYS_CLOSE, Args: [3]uintptr{1 << 30}}, write(uintptr(fd), nil, 2)}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := blocked(t)
	a := &Process{}
	if err := a.Start(calls); err != nil {
		t.Fatal(err)
	}
	if now := blocked(t); now != before {
		t.Errorf("this thread blocks the signals %s, and not %s", now, before)
	}
	done := a.Wait()
	if !emulated() && (done != 3 || calls[0].Result != 1 || calls[1].Result != 1 || !errors.Is(calls[2].Err(), unix.EBADF)) {
		t.Errorf("%d calls were made: %+v", done, calls)
	}
	w.Close()
	var got [8]byte
	n, _ := r.Read(got[:])
	if string(got[:n]) != "ab" {
		t.Errorf("they wrote %q", got[:n])
	}
	if pid, err := unix.Wait4(-1, nil, unix.WALL|unix.WNOHANG, nil); !errors.Is(err, unix.ECHILD) {
		t.Errorf("process %d is left (%v)", pid, err)
	}
}

// A process that is killed has not made all its calls.
func TestKilled(t *testing.T) {
	if emulated() {
		t.Skip("needs a process that shares memory")
	}
	calls := []Call{{Number: unix.SYS_GETPID}, {Number: unix.SYS_PPOLL}, {Number: unix.SYS_GETPID}}
	a := &Process{}
	if err := a.Start(calls); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(a.pid, unix.SIGTERM); err != nil { // the process blocks it
		t.Fatal(err)
	}
	if err := unix.Kill(a.pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if done := a.Wait(); done > 1 {
		t.Errorf("%d calls were made", done)
	}
}
