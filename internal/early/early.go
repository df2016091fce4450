// Package early prepares the process for a command before any other package of the program is
// initialized: it imports nothing of the program, and its path sorts first. Importing it is
// enough.
//
// It is for commands, which run for milliseconds. The library leaves the process alone.
package early

import "runtime"

func init() {
	growStack(0)
	// One goroutine does nearly all the work of a command. If it moves to another P, new caches
	// are set up: 25 pages of the heap are touched again, and threads wake up that find nothing
	// to do. A goroutine in a system call does not hold the P.
	runtime.GOMAXPROCS(1)
}

// stackSize is more than the stack that a command uses, in bytes.
const stackSize = 24 << 10

// growStack grows the stack of the first goroutine to its final size. Otherwise it would grow in
// several steps, each of which copies it and looks up all its frames.
//
// Only the size of the frame matters. The array is not touched.
//
//go:noinline
func growStack(n int) byte {
	if n == 0 {
		return 0
	}
	var room [stackSize]byte
	return room[n]
}
