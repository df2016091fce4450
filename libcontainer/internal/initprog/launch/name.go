package launch

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/protocol"
)

// Name is the name of a process that runs a program, open: it can be read as long as nobody
// has waited for the process, and never becomes that of another one. The zero Name is that of
// a process which has gone.
type Name struct{ file int } // the descriptor, plus 1

// OpenName opens the name of a process.
func OpenName(pid int) Name {
	//allow:path the host's /proc
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/comm", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return Name{}
	}
	return Name{fd + 1}
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
