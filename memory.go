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
