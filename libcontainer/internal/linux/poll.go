package linux

import (
	"errors"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Forever as a timeout is none.
const Forever time.Duration = -1

// Poll is poll(2) that goes on after a signal. n is 0 when the timeout is over; a negative
// timeout is none.
func Poll(fds []unix.PollFd, timeout time.Duration) (n int, err error) {
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	for {
		wait := -1
		switch {
		case timeout == 0:
			wait = 0
		case timeout > 0:
			// Rounded up: a wait of 0 would not wait at all.
			left := time.Until(deadline) + time.Millisecond - 1
			wait = int(min(max(left.Milliseconds(), 0), math.MaxInt32))
		}
		n, err := unix.Poll(fds, wait)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, os.NewSyscallError("poll", err)
		case n == 0 && timeout > 0 && time.Now().Before(deadline):
			continue
		}
		return n, nil
	}
}
