package program

import (
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/failpoint"
)

// fault is where a program is to go wrong, in builds for tests of that.
type fault struct {
	op   int
	kind failpoint.Kind
}

// fail puts the fault before the op that is about to be added.
func (b *Builder) fail() {
	if b.fault.kind == failpoint.None || len(b.about) != b.fault.op {
		return
	}
	kind := b.fault.kind
	b.fault.kind = failpoint.None
	switch kind {
	case failpoint.Exit:
		b.Exit(1)
	case failpoint.Errno:
		b.Fail(unix.EIO)
	case failpoint.Delay:
		b.Syscall(unix.SYS_NANOSLEEP, b.Struct64(0, 30_000_000), Int(0))
	case failpoint.Hang:
		b.Syscall(unix.SYS_NANOSLEEP, b.Struct64(3600, 0), Int(0))
	}
}
