package libcontainer

import (
	"context"

	"coracle/libcontainer/internal/linux"
)

// ErrInterrupted is wrapped by the errors of methods whose context was over before they had done
// their work, or whose descriptor was readable (see [WithInterrupt]). They also wrap the error
// of the context.
var ErrInterrupted = linux.ErrInterrupted

// interruptKey is the key of the descriptor in a context.
type interruptKey struct{}

// WithInterrupt returns a context in which methods of this package also end when a descriptor
// becomes readable, as when the context is cancelled. It is for programs that learn from a
// descriptor that they have to end, such as a pipe or signalfd(2); nothing is read from it. The
// descriptor has to stay open as long as the context is used.
func WithInterrupt(ctx context.Context, fd uintptr) context.Context {
	return context.WithValue(ctx, interruptKey{}, linux.NewFD(int(fd)))
}

// interruptOf is what ends waits when a context is over. The caller has to close it.
func interruptOf(ctx context.Context) (*linux.Interrupt, error) {
	fd, _ := ctx.Value(interruptKey{}).(linux.FD)
	return linux.NewInterrupt(ctx, fd)
}
