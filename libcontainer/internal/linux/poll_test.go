package linux

import (
	"math"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestPoll(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	fds := []unix.PollFd{{Fd: int32(pipe[0]), Events: unix.POLLIN}}
	for _, timeout := range []time.Duration{0, 1, 1500 * time.Microsecond} {
		begin := time.Now()
		if n, err := Poll(fds, timeout); n != 0 || err != nil || time.Since(begin) < timeout {
			t.Errorf("%v: %d, %v after %v", timeout, n, err, time.Since(begin))
		}
	}
	unix.Close(pipe[1])
	for _, timeout := range []time.Duration{Forever, 0, time.Hour, math.MaxInt64} {
		if n, err := Poll(fds, timeout); n != 1 || err != nil {
			t.Errorf("at the end, %v: %d, %v", timeout, n, err)
		}
	}
	if n, err := PollUntil(fds, time.Now().Add(-time.Hour)); n != 1 || err != nil {
		t.Errorf("after the deadline: %d, %v", n, err)
	}
}
