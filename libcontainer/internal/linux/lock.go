package linux

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// maxLocks bounds what is read of /proc/locks, in bytes.
const maxLocks = 8 << 20

// Lockholder describes the process that has the lock of flock(2) on an open file, as
// `process 123 ("coracle start c")`; "another process" when it cannot be seen.
func Lockholder(fd int) string {
	const unknown = "another process"
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return unknown
	}
	data, err := ReadFollow("/proc/locks", maxLocks)
	if err != nil {
		return unknown
	}
	pid := lockholder(string(data), st.Ino)
	if pid <= 0 {
		return unknown
	}
	command, err := PID(pid).Read("cmdline")
	if err != nil || len(command) == 0 {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %d (%q)", pid, commandLine(string(command)))
}

// lockholder finds who has the lock on a file in the text of /proc/locks (proc(5)); 0 for
// nobody. The device is not compared: that of stat(2) is another one on some file systems.
func lockholder(text string, inode uint64) (pid int) {
	for line := range strings.Lines(text) {
		// "1: FLOCK  ADVISORY  WRITE 123 00:1a:4711 0 EOF"; those who wait have "->" in front.
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" {
			continue
		}
		if _, number, ok := strings.Cut(f[5], ":"); !ok || number[strings.IndexByte(number, ':')+1:] != strconv.FormatUint(inode, 10) {
			continue
		}
		if n, err := strconv.ParseUint(f[4], 10, 31); err == nil {
			return int(n)
		}
	}
	return 0
}

// commandLine is a command line for people: of printable characters, and not too long.
func commandLine(text string) string {
	const most = 200
	text = strings.Map(func(r rune) rune {
		switch {
		case r == 0:
			return ' '
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, strings.TrimRight(text, "\x00"))
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}
