package libcontainer

import (
	"context"

	"coracle/libcontainer/internal/linux"
)

// ErrInterrupted is wrapped by the errors of methods whose context ended before they had
// finished, or whose descriptor became readable (see [WithInterrupt]). They also wrap the error
// of the context.
var ErrInterrupted = linux.ErrInterrupted

// interruptKey is the key of the descriptor in a context.
type interruptKey struct{}

// WithInterrupt returns a context in which methods of this package also end when a descriptor
// becomes readable, as if the context were cancelled. It is for programs that learn from a
// descriptor, such as a pipe or signalfd(2), that they have to end. Nothing is read from the
// descriptor. It has to stay open as long as the context is used.
func WithInterrupt(ctx context.Context, fd uintptr) context.Context {
	return context.WithValue(ctx, interruptKey{}, linux.NewFD(int(fd)))
}

// interruptOf returns what ends waiting when a context ends. The caller has to close it.
func interruptOf(ctx context.Context) (*linux.Interrupt, error) {
	fd, _ := ctx.Value(interruptKey{}).(linux.FD)
	return linux.NewInterrupt(ctx, fd)
}
