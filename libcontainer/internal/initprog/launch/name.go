package launch

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/linux"
)

// Name is the name of a process that runs a program, open: it can be read as long as nobody
// has waited for the process, and never becomes that of another one. The zero Name is that of
// a process which has gone.
type Name struct{ file int } // the descriptor, plus 1

// OpenName opens the name of a process.
func OpenName(pid int) Name {
	//allow:path the host's /proc
	fd, err := unix.Open(linux.PID(pid).Path("comm"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return Name{}
	}
	return Name{fd + 1}
}

// Executed reports whether a process that has announced its execve, and has closed its end of
// the conversation since, has done the one or has only ended. Who has the name still, and goes
// on, has executed something: a command can give itself any name, and the kernel closes
// descriptors before it sets the new one.
//
// Attacker: the command. If it ends with that name, it counts as not executed, which is its own
// loss. But nobody waits for its end for ever.
func (n Name) Executed(pid, pidfd int) bool {
	if !n.Unchanged() || !ending(pid) {
		return true
	}
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	if ready, err := linux.Poll(fds, longestEnd); err != nil || ready == 0 {
		return true
	}
	return !n.Unchanged()
}

// longestEnd is how long a program may take to end: it has nothing that could hold it up.
const longestEnd = 10 * time.Second

// ending reports whether a process has ended, or is about to, which has no other threads, as
// no program has. One that nobody can look at any more counts as such.
func ending(pid int) bool {
	stat, err := linux.PID(pid).Stat()
	if err != nil {
		return true
	}
	threads, _ := stat.Number(20)
	return threads < 2 && stat.Exiting()
}

// Unchanged reports whether the process, alive or dead, has kept [protocol.ProcessName], and so
// has executed nothing after the program.
func (n Name) Unchanged() bool {
	if n.file == 0 {
		return false
	}
	var buf [64]byte
	got, err := unix.Pread(n.file-1, buf[:], 0)
	return err == nil && strings.TrimSuffix(string(buf[:got]), "\n") == protocol.ProcessName
}

// Close releases the descriptor.
func (n Name) Close() {
	if n.file > 0 {
		unix.Close(n.file - 1)
	}
}
