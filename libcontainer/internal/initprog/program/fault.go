package program

import (
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/failpoint"
)

// broken is a failure to inject, in test builds.
type broken struct {
	op   int
	kind failpoint.Kind
}

// fail adds the fault when the next op is the chosen one.
func (b *Builder) fail() {
	if b.broken.kind == failpoint.None || len(b.about) != b.broken.op {
		return
	}
	kind := b.broken.kind
	b.broken.kind = failpoint.None
	switch kind {
	case failpoint.Exit:
		b.Exit(1)
	case failpoint.Errno:
		b.Fail(unix.EIO)
	case failpoint.Delay:
		b.Syscall(unix.SYS_NANOSLEEP, b.Struct64(0, 30_000_000), Int(0))
	case failpoint.Linger:
		b.Syscall(unix.SYS_NANOSLEEP, b.Struct64(1, 0), Int(0))
	case failpoint.Hang:
		b.Syscall(unix.SYS_NANOSLEEP, b.Struct64(3600, 0), Int(0))
	}
}
