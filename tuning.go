package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// onHeap points to an object that the compiler cannot put on a stack.
var onHeap *byte

// prefaultHeap asks the kernel for the memory that the command is going to allocate
// all at once. Taking it page by page, with a fault for each, can cost more than
// everything that a command computes.
//
// The Go heap grows upwards in a region that is mapped already and has hardly been
// used; each processor takes its pages out of a piece of 512 KiB. Were that to
// change, nothing but a little time would be lost: the call only faults in memory
// that is mapped anyway.
func prefaultHeap() {
	const (
		piece = 512 << 10
		chunk = 4 << 20 // the heap is mapped in chunks
	)
	onHeap = new(byte)
	start := uintptr(unsafe.Pointer(onHeap)) &^ (piece - 1)
	size := min(2*piece, chunk-start%chunk)
	_, _, _ = unix.RawSyscall(unix.SYS_MADVISE, start, size, unix.MADV_POPULATE_WRITE)
}

// slowMonitor makes the thread with which the Go runtime watches the others wake up
// every millisecond or two, and not every 70 µs. In a command that makes a container
// it took a tenth of the time: the container is being built on the other processor.
//
// Threads and processes that the monitor or one of its children makes inherit its
// timer slack. What the others had, in nanoseconds, is returned; it has to be
// given back to the processes of containers. It is 0 when nothing was changed, as
// without CAP_SYS_NICE.
func slowMonitor() int {
	own, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || own <= 0 {
		return 0
	}
	tid := monitorThread()
	if tid == "" {
		return 0
	}
	// The file exists for threads too, but not below task/.
	fd, err := unix.Open("/proc/"+tid+"/timerslack_ns", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte("1000000")); err != nil {
		return 0
	}
	return own
}

// monitorThread is the id of the first thread that the Go runtime has made, before it
// ran anything of this program.
func monitorThread() string {
	fd, err := unix.Open("/proc/self/task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var buf [1024]byte // for some 30 threads; a command has five
	n, err := unix.ReadDirent(fd, buf[:])
	if err != nil {
		return ""
	}
	// The kernel lists threads in the order of their creation, the main one first.
	_, _, names := unix.ParseDirent(buf[:n], 2, nil)
	if len(names) < 2 {
		return ""
	}
	return names[1]
}
