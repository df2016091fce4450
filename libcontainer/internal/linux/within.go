package linux

import (
	"errors"
	"time"
)

// ErrLate is the error of [Within] when the time is over.
var ErrLate = errors.New("it takes too long")

// withinInterval is how often an interrupt is looked for.
const withinInterval = 50 * time.Millisecond

// Within calls a function that may hang in the kernel, as reading does from a file system that
// a process serves, and returns when it has returned, or when the time is over or the interrupt
// ends the wait. The function goes on then, with its thread: it must not touch anything that its
// caller uses later.
func Within(i *Interrupt, limit time.Duration, f func()) error {
	done := make(chan struct{})
	go func() {
		f()
		close(done)
	}()
	deadline := time.Now().Add(limit)
	for {
		select {
		case <-done:
			return nil
		case <-time.After(withinInterval):
		}
		if err := i.Pending(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return ErrLate
		}
	}
}
