//go:build amd64 || arm64

// Package aside makes system calls in a process beside this one, which shares its memory and
// its descriptors, and has a process id and namespaces of its own.
//
// A thread would do, but a thread of the Go runtime that is not like the others cannot be used
// again, and takes another one that makes new threads: together they were a twentieth of the
// processor time of a run. This process has no stack and nothing of Go: it is the loop in
// clone_*.s.
package aside

import (
	"errors"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Process is a process that makes calls. The zero value is one that has not been started.
type Process struct {
	// all blocks every signal, and mask is what this thread blocks otherwise. A handler would
	// run on a stack that is not that of the process.
	all, mask uint64
	flags     uintptr
	left      int64 // calls to come
	next      *Call
	calls     []Call
	pid       int
}

// Call is a system call. The process stops at the first one that fails.
type Call struct {
	Number uintptr
	Args   [3]uintptr
	// First, when it is there, has the first argument: the result of another call.
	First  *int
	Result int // a negative errno when the call has failed
}

// Err is the error of a call that has been made.
func (c *Call) Err() error {
	if c.Result < 0 {
		return unix.Errno(-c.Result)
	}
	return nil
}

// flags: memory, current directory and descriptors are shared. No signal tells the end of the
// process, and only who waits for it finds it (__WALL). A variable for a test: an emulator has
// no such process.
var flags uintptr = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES

// What the assembly needs of the kernel.
const (
	sysMask  = unix.SYS_RT_SIGPROCMASK
	sysClone = unix.SYS_CLONE
	sysExit  = unix.SYS_EXIT_GROUP
	setMask  = unix.SIG_SETMASK
)

// clone starts the process, and returns its id or a negative errno. It is in clone_*.s. What it
// gets is on the heap, where it stays: the stack of a goroutine may move.
func clone(p *Process) int

// Start begins with the calls, of which there has to be one at least. Wait has to follow, and
// what the arguments point to has to stay where it is until then: see [Address].
func (p *Process) Start(calls []Call) error {
	p.all, p.flags = ^uint64(0), flags
	p.calls, p.left, p.next = calls, int64(len(calls)), &calls[0]
	if p.pid = clone(p); p.pid < 0 {
		return os.NewSyscallError("clone", unix.Errno(-p.pid))
	}
	return nil
}

// Wait waits until the process has ended, and returns how many of the calls it has made. All of
// them have succeeded, or all but the last. They are fewer than the calls when that one failed,
// or when somebody has killed the process.
func (p *Process) Wait() int {
	if p.pid <= 0 {
		return 0
	}
	for {
		_, err := unix.Wait4(p.pid, nil, unix.WALL, nil)
		if !errors.Is(err, unix.EINTR) {
			break // or somebody else has waited for it
		}
	}
	p.pid = 0
	runtime.KeepAlive(p)
	return len(p.calls) - int(p.left)
}

// Address is the address of a value on the heap, which has to be kept alive.
func Address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }
