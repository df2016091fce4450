//go:build failpoints

package failpoint

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Enabled reports whether this is a build for tests of failures.
const Enabled = true

// chosen parses the environment variable if it has the given form.
func chosen(form string) (place string, k Kind) {
	value, ok := strings.CutPrefix(os.Getenv("CORACLE_FAILPOINT"), form+"=")
	if !ok {
		return "", None
	}
	i := strings.LastIndexByte(value, ':')
	if i < 0 {
		return "", None
	}
	return value[:i], Kind(value[i+1:])
}

// Hit is called after a phase.
func Hit(phase string) {
	place, k := chosen("phase")
	if k == None || place != phase {
		return
	}
	switch k {
	case Exit:
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case Stop:
		// Send the signal to this thread: if another thread took it, this one could run on
		// meanwhile.
		runtime.LockOSThread()
		_, _, _ = syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(syscall.Gettid()), uintptr(syscall.SIGSTOP))
		runtime.UnlockOSThread()
	case Delay:
		time.Sleep(30 * time.Millisecond)
	case Linger:
		time.Sleep(time.Second)
	case Hang:
		time.Sleep(time.Hour)
	}
}

// found reports whether a program that has the op was compiled.
var found bool

// Op returns the index of the op to fail before; -1 for none. Only one program gets it.
func Op() (index int, k Kind) {
	place, k := chosen("op")
	//allow:atoi the index of an op, in a binary for tests
	n, err := strconv.Atoi(place)
	if k == None || err != nil || found {
		return -1, None
	}
	found = true
	return n, k
}

// Patience returns how long a wait may take that would otherwise take d at most.
func Patience(d time.Duration) time.Duration {
	if most, err := time.ParseDuration(os.Getenv("CORACLE_PATIENCE")); err == nil {
		return min(d, most)
	}
	return d
}
