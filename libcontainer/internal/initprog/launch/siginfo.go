package launch

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// siginfo is the layout of siginfo_t for SIGCHLD on 64-bit machines.
type siginfo struct {
	signo, errno, code, _ int32
	pid, uid, status      int32
}

// waitStatus converts the result of waitid(2) to that of wait(2).
func waitStatus(info *unix.Siginfo) unix.WaitStatus {
	const (
		cldExited = 1
		cldDumped = 3
	)
	s := (*siginfo)(unsafe.Pointer(info))
	switch s.code {
	case cldExited:
		return unix.WaitStatus(s.status << 8)
	case cldDumped:
		return unix.WaitStatus(s.status | 0x80)
	default:
		return unix.WaitStatus(s.status)
	}
}
