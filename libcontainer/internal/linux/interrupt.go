package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
)

// ErrInterrupted is wrapped by the error of an operation that its caller has cancelled.
var ErrInterrupted = fault.New(fault.Interrupted, "interrupted")

// Interrupt ends waiting for descriptors, which a context alone cannot end. A nil Interrupt never
// does.
type Interrupt struct {
	ctx context.Context
	fd  FD
	// own are the descriptors that Close closes.
	own  []FD
	stop func() bool
}

// NewInterrupt returns an interrupt for a context and, unless it is none, for a descriptor that
// becomes readable when waiting has to end. It is nil, and costs nothing, when neither can end.
// The error is that of a context that has ended already.
//
// No goroutine runs until the context ends.
func NewInterrupt(ctx context.Context, given FD) (*Interrupt, error) {
	if ctx.Done() == nil && !given.Exists() {
		return nil, nil
	}
	i := &Interrupt{ctx: ctx, fd: given}
	if err := i.cancelled(); err != nil {
		return nil, err
	}
	if ctx.Done() == nil {
		return i, nil
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe", err)
	}
	i.fd = NewFD(pipe[0])
	i.own = []FD{i.fd}
	var once sync.Once
	hangUp := func() { once.Do(func() { unix.Close(pipe[1]) }) } // wakes the pollers of the other end
	wake := context.AfterFunc(ctx, hangUp)
	i.stop = func() bool { hangUp(); return wake() }
	if given.Exists() {
		both, err := readableWhenOne(given, i.fd)
		if err != nil {
			i.Close()
			return nil, err
		}
		i.fd = both
		i.own = append(i.own, both)
	}
	return i, nil
}

// readableWhenOne returns a descriptor that is readable when one of others is.
func readableWhenOne(fds ...FD) (FD, error) {
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return FD{}, os.NewSyscallError("epoll_create1", err)
	}
	for _, fd := range fds {
		if err := unix.EpollCtl(set, unix.EPOLL_CTL_ADD, fd.Int(), &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd.Int())}); err != nil {
			unix.Close(set)
			return FD{}, os.NewSyscallError("epoll_ctl", err)
		}
	}
	return NewFD(set), nil
}

// Close releases the context.
func (i *Interrupt) Close() {
	if i == nil {
		return
	}
	if i.stop != nil {
		i.stop()
	}
	for n := range i.own {
		i.own[n].Close()
	}
}

// FD returns the descriptor that becomes readable when waiting has to end, for callers that poll
// themselves; none for a nil interrupt.
func (i *Interrupt) FD() FD {
	if i == nil {
		return FD{}
	}
	return i.fd
}

// Err returns the error of an interrupted operation. It wraps [ErrInterrupted] and the cause of
// the context.
func (i *Interrupt) Err() error {
	if err := i.cancelled(); err != nil {
		return err
	}
	return ErrInterrupted
}

// cancelled returns the error of a context that has ended; nil otherwise.
func (i *Interrupt) cancelled() error {
	err, cause := i.ctx.Err(), context.Cause(i.ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(cause, err):
		return fmt.Errorf("%w: %w", ErrInterrupted, cause)
	}
	return fmt.Errorf("%w: %w: %w", ErrInterrupted, err, cause)
}

// Pending returns Err if waiting would end at once, otherwise nil.
func (i *Interrupt) Pending() error {
	if i == nil {
		return nil
	}
	_, err := i.PollUntil(nil, time.Now())
	return err
}

// PollUntil is the function [PollUntil] that also ends by the interrupt. It then returns the
// interrupt's error if no descriptor is ready.
func (i *Interrupt) PollUntil(fds []unix.PollFd, deadline time.Time) (n int, err error) {
	if i == nil {
		return PollUntil(fds, deadline)
	}
	all := append(slices.Clone(fds), unix.PollFd{Fd: int32(i.fd.Int()), Events: unix.POLLIN})
	n, err = PollUntil(all, deadline)
	copy(fds, all)
	if err != nil || all[len(fds)].Revents == 0 {
		return n, err
	}
	if n--; n > 0 {
		return n, nil
	}
	return 0, i.Err()
}

// Sleep waits for a time, or returns the error of the interrupt.
func (i *Interrupt) Sleep(d time.Duration) error {
	if i == nil {
		time.Sleep(d)
		return nil
	}
	_, err := i.PollUntil(nil, time.Now().Add(d))
	return err
}
