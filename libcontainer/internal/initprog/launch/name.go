package launch

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/linux"
)

// Name is the open /proc/PID/comm of a process that runs a program. It can be read until the
// process is reaped, and never refers to another process. The zero Name is that of a process that
// is gone.
type Name struct{ file int } // the descriptor, plus 1

// OpenName opens the Name of a process.
func OpenName(pid int) Name {
	//allow:path the host's /proc
	fd, err := unix.Open(linux.PID(pid).Path("comm"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return Name{}
	}
	return Name{fd + 1}
}

// Executed reports whether a process that announced its execve, and then closed its end of the
// connection, has executed its command or has only ended. A process that still has the name, but
// does not end, has executed something: a command can give itself any name, and the kernel closes
// descriptors before it sets the new name.
//
// Attacker: the command. If it ends with that name, it counts as not executed, which harms only
// itself. But the runtime must not wait forever for its end.
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

// longestEnd is how long a program may take to end; hardly anything can delay it.
const longestEnd = 10 * time.Second

// ending reports whether a process has ended or is about to. It assumes that the process has no
// other threads, as programs never have. A process that cannot be examined any more counts as
// ended.
func ending(pid int) bool {
	stat, err := linux.PID(pid).Stat()
	if err != nil {
		return true
	}
	threads, _ := stat.Number(20)
	return threads < 2 && stat.Exiting()
}

// Unchanged reports whether the process, alive or dead, still has the name
// [protocol.ProcessName], so that it has executed nothing after the program.
func (n Name) Unchanged() bool {
	if n.file == 0 {
		return false
	}
	var buf [64]byte
	got, err := unix.Pread(n.file-1, buf[:], 0)
	return err == nil && strings.TrimSuffix(string(buf[:got]), "\n") == protocol.ProcessName
}

// Close closes the descriptor.
func (n Name) Close() {
	if n.file > 0 {
		unix.Close(n.file - 1)
	}
}
