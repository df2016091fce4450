// Package early prepares the process for a command, before any other package of the program is
// initialised: it imports nothing of the program, and its path is the first one. Importing it is
// all that is to do.
//
// It is for commands, which live for milliseconds. The library leaves the process alone.
package early

import "runtime"

func init() {
	growStack(0)
	// One goroutine does nearly all the work of a command. When it comes to run on another P,
	// that begins with caches of its own: 25 pages of the heap are touched twice, and threads are
	// woken up that find nothing to do. A goroutine in a system call does not hold the P.
	runtime.GOMAXPROCS(1)
}

// stackSize is more than what a command uses of the stack, in bytes.
const stackSize = 24 << 10

// growStack makes the stack of the first goroutine as large as it will have to be. It grows by
// itself, but in several steps, in each of which it is copied and all its frames are looked up.
//
// What matters is the size of the frame. The array is not touched.
//
//go:noinline
func growStack(n int) byte {
	if n == 0 {
		return 0
	}
	var room [stackSize]byte
	return room[n]
}
