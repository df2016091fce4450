//go:build amd64 || arm64

// Package aside makes system calls in a separate process that shares this process's memory and
// descriptors, but has its own pid and namespaces.
//
// A thread would do. But a thread of the Go runtime that was moved to other namespaces cannot be
// reused, and makes the runtime start a helper thread that creates new ones: together they took a
// twentieth of the processor time of a run. This process has no stack and no Go runtime: it only
// runs the loop in clone_*.s.
package aside

import (
	"errors"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Process is a process that makes calls. The zero value is a process that has not been started.
type Process struct {
	// all blocks every signal, and mask is the thread's own signal mask. The process must not run
	// a signal handler, because it has no stack.
	all   uint64
	mask  uint64 //lint:ignore U1000 clone_*.s uses it
	flags uintptr
	left  int64 // remaining calls
	next  *Call
	calls []Call
	pid   int
}

// Call is a system call. The process stops at the first one that fails.
type Call struct {
	Number uintptr
	Args   [3]uintptr
	// First, when not nil, is the first argument: the result of another call.
	First  *int
	Result int // a negative errno when the call failed
}

// Err returns the error of a call that was made.
func (c *Call) Err() error {
	if c.Result < 0 {
		return unix.Errno(-c.Result)
	}
	return nil
}

// flags: memory, current directory and descriptors are shared. No signal reports the end of the
// process, and only wait calls with __WALL find it. It is a variable for tests, because an
// emulator has no such process.
var flags uintptr = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES

// Constants of the kernel for the assembly.
const (
	sysMask  = unix.SYS_RT_SIGPROCMASK //lint:ignore U1000 clone_*.s uses it
	sysClone = unix.SYS_CLONE          //lint:ignore U1000 the same
	sysExit  = unix.SYS_EXIT_GROUP     //lint:ignore U1000 the same
	setMask  = unix.SIG_SETMASK        //lint:ignore U1000 the same
)

// clone starts the process, and returns its id or a negative errno. It is in clone_*.s. Its
// argument is on the heap, because the stack of a goroutine may move.
func clone(p *Process) int

// Start starts the calls, at least one. Wait has to follow, and until then the arguments' targets
// have to stay in place: see [Address].
func (p *Process) Start(calls []Call) error {
	p.all, p.flags = ^uint64(0), flags
	p.calls, p.left, p.next = calls, int64(len(calls)), &calls[0]
	if p.pid = clone(p); p.pid < 0 {
		return os.NewSyscallError("clone", unix.Errno(-p.pid))
	}
	return nil
}

// Wait waits until the process has ended, and returns how many calls it made. All of them
// succeeded, except possibly the last one. If there are fewer than requested, the last one
// failed, or the process was killed.
func (p *Process) Wait() int {
	if p.pid <= 0 {
		return 0
	}
	for {
		_, err := unix.Wait4(p.pid, nil, unix.WALL, nil)
		if !errors.Is(err, unix.EINTR) {
			break // or it was reaped elsewhere
		}
	}
	p.pid = 0
	runtime.KeepAlive(p)
	return len(p.calls) - int(p.left)
}

// Address returns the address of a value on the heap, which has to be kept alive.
func Address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }
