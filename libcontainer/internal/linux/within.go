package linux

import (
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

// ErrLate is the error of [Within] when the time is over.
var ErrLate = errors.New("it takes too long")

// withinInterval is the longest time between two looks whether a function has returned.
const withinInterval = 20 * time.Millisecond

// Within calls a function that may hang in the kernel, as reading does from a file system that
// a process serves, and returns when it has returned, or when the time is over or the interrupt
// ends the wait. The function goes on then, with its thread: it must not touch anything that its
// caller uses later.
func Within(i *Interrupt, limit time.Duration, f func()) error {
	var done atomic.Bool
	go func() {
		f()
		done.Store(true)
	}()
	// The usual case: it runs at once, on this thread, and returns.
	runtime.Gosched()
	// A timer of the Go runtime would take an event loop and two descriptors.
	delay := 100 * time.Microsecond
	for deadline := time.Now().Add(limit); !done.Load(); delay = min(2*delay, withinInterval) {
		if time.Now().After(deadline) {
			return ErrLate
		}
		if _, err := i.PollUntil(nil, time.Now().Add(delay)); err != nil {
			return err
		}
	}
	return nil
}
