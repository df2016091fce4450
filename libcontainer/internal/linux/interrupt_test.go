package linux

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestInterruptOfContextThatCannotEnd(t *testing.T) {
	i, err := NewInterrupt(context.Background(), FD{})
	if i != nil || err != nil {
		t.Fatalf("NewInterrupt = %v, %v; want nothing at all", i, err)
	}
	if i.FD().Exists() || i.Pending() != nil || i.Sleep(0) != nil {
		t.Error("nothing interrupts")
	}
	i.Close()
	if allocated := testing.AllocsPerRun(10, func() { _, _ = NewInterrupt(context.Background(), FD{}) }); allocated != 0 {
		t.Errorf("it costs %v allocations", allocated)
	}
}

func TestInterruptByContext(t *testing.T) {
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	i, err := NewInterrupt(ctx, FD{})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if err := i.Pending(); err != nil {
		t.Fatalf("before the end: %v", err)
	}
	time.AfterFunc(time.Millisecond, func() { cancel(reason) })
	err = i.Sleep(time.Hour)
	for _, want := range []error{ErrInterrupted, context.Canceled, reason} {
		if !errors.Is(err, want) {
			t.Errorf("%v is not %v", err, want)
		}
	}
	if _, err := NewInterrupt(ctx, FD{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: %v", err)
	}
}

func TestInterruptByDescriptor(t *testing.T) {
	never, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, ctx := range map[string]context.Context{"alone": context.Background(), "beside a context": never} {
		t.Run(name, func(t *testing.T) {
			var pipe [2]int
			if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			defer unix.Close(pipe[0])
			defer unix.Close(pipe[1])
			i, err := NewInterrupt(ctx, NewFD(pipe[0]))
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			if err := i.Pending(); err != nil {
				t.Fatalf("before the end: %v", err)
			}
			if _, err := unix.Write(pipe[1], []byte{1}); err != nil {
				t.Fatal(err)
			}
			// A ready descriptor comes first.
			fds := []unix.PollFd{{Fd: int32(pipe[1]), Events: unix.POLLOUT}}
			if n, err := i.PollUntil(fds, time.Time{}); n != 1 || err != nil || fds[0].Revents != unix.POLLOUT {
				t.Errorf("PollUntil = %d, %v with %v", n, err, fds)
			}
			if _, err := i.PollUntil([]unix.PollFd{{Fd: -1}}, time.Time{}); !errors.Is(err, ErrInterrupted) {
				t.Errorf("PollUntil = %v", err)
			}
		})
	}
}
