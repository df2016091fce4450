package linux

import (
	"errors"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Forever means no timeout.
const Forever time.Duration = -1

// Poll is poll(2), restarted after signals. n is 0 when the timeout has passed; a negative
// timeout means none.
func Poll(fds []unix.PollFd, timeout time.Duration) (n int, err error) {
	if timeout < 0 {
		return PollUntil(fds, time.Time{})
	}
	return PollUntil(fds, time.Now().Add(timeout))
}

// PollUntil is [Poll] with a deadline instead of a timeout; the zero time means none. After the
// deadline it polls once without waiting.
func PollUntil(fds []unix.PollFd, deadline time.Time) (n int, err error) {
	for {
		wait := -1
		if !deadline.IsZero() {
			// Round up: a wait of 0 would not wait at all.
			left := min(time.Until(deadline), (math.MaxInt32-1)*time.Millisecond) + time.Millisecond - 1
			wait = int(max(left.Milliseconds(), 0))
		}
		n, err := unix.Poll(fds, wait)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, os.NewSyscallError("poll", err)
		case n == 0 && time.Now().Before(deadline):
			continue
		}
		return n, nil
	}
}
