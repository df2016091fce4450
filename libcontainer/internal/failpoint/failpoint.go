// Package failpoint makes things go wrong at a chosen place, for tests. In an ordinary
// build it does nothing and costs nothing; with the build tag failpoints the environment
// variable CORACLE_FAILPOINT chooses the place and the failure:
//
//	op=N:KIND         before op N of the first init program that is compiled
//	phase=NAME:KIND   after a phase of a command, named as in the log of --debug
package failpoint

// Kind is a way to go wrong.
type Kind string

const (
	// None is no failure.
	None Kind = ""
	// Exit ends the process at once, as a crash would.
	Exit Kind = "exit"
	// Errno lets the op fail with EIO. It is for ops only.
	Errno Kind = "errno"
	// Delay waits for 30 ms, and goes on.
	Delay Kind = "delay"
	// Stop stops the process until a test lets it go on with SIGCONT. It is for phases only.
	Stop Kind = "stop"
	// Hang waits for ever.
	Hang Kind = "hang"
)
