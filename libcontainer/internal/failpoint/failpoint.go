// Package failpoint injects a failure at a chosen place, for tests. In an ordinary build it does
// nothing and costs nothing. With the build tag failpoints, the environment variable
// CORACLE_FAILPOINT chooses the place and the failure:
//
//	op=N:KIND         before op N of the first init program that is compiled
//	phase=NAME:KIND   after a phase of a command, named as in the log of --debug
//
// CORACLE_PATIENCE is then the most that any wait may take, such as 2s.
package failpoint

// Kind is a kind of failure.
type Kind string

const (
	// None is no failure.
	None Kind = ""
	// Exit ends the process at once, as a crash would.
	Exit Kind = "exit"
	// Errno makes the op fail with EIO. It is for ops only.
	Errno Kind = "errno"
	// Delay waits for 30 ms and continues.
	Delay Kind = "delay"
	// Linger waits for a second and continues: time enough for another process, on a busy
	// machine too.
	Linger Kind = "linger"
	// Stop stops the process until a test sends SIGCONT. It is for phases only.
	Stop Kind = "stop"
	// Hang waits forever.
	Hang Kind = "hang"
)
