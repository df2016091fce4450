// Package monitor makes the monitor thread of the Go runtime wake up every ten milliseconds
// instead of every 70 µs. When creating a container, which is built on another processor at the
// same time, the monitor took a tenth of the time.
//
// What it does for goroutines that wait for others comes that much later. A command has several
// only where it serves a terminal.
//
// The package imports nothing but package syscall, so that it is initialised before most others:
// they take a third of a millisecond.
package monitor

import (
	"syscall"
	"unsafe"
)

// Slack is the former timer slack of the monitor in nanoseconds, which the processes of containers
// have to get back: threads and processes that the monitor or its children create inherit it. It
// is 0 when nothing was changed, for instance without CAP_SYS_NICE.
var Slack int

func init() { Slack = slowDown() }

func slowDown() int {
	const getTimerSlack = 30 // PR_GET_TIMERSLACK of prctl(2)
	own, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, getTimerSlack, 0, 0)
	if errno != 0 || int(own) <= 0 {
		return 0
	}
	// The file exists for threads too, but not below task/.
	const directory, file = "/proc/", "/timerslack_ns\x00"
	var path [64]byte
	n := copy(path[:], directory)
	if n += thread(path[n : len(path)-len(file)]); n == len(directory) {
		return 0
	}
	copy(path[n:], file)
	fd := open(&path[0], syscall.O_WRONLY)
	if fd < 0 {
		return 0
	}
	defer syscall.Close(fd)
	value := [...]byte{'9', '0', '0', '0', '0', '0', '0'} // nanoseconds
	if _, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&value)), uintptr(len(value))); errno != 0 {
		return 0
	}
	return int(own)
}

// thread writes the id of the first thread that the Go runtime has made, before it ran anything
// of this program, and returns its length. It is 0 when there is none.
func thread(id []byte) int {
	path := [...]byte{'/', 'p', 'r', 'o', 'c', '/', 's', 'e', 'l', 'f', '/', 't', 'a', 's', 'k', 0}
	fd := open(&path[0], syscall.O_RDONLY|syscall.O_DIRECTORY)
	if fd < 0 {
		return 0
	}
	defer syscall.Close(fd)
	var entries [1024]byte // for some 30 threads; a command has five
	n, _, errno := syscall.RawSyscall(syscall.SYS_GETDENTS64, uintptr(fd), uintptr(unsafe.Pointer(&entries)), uintptr(len(entries)))
	if errno != 0 {
		return 0
	}
	// The kernel lists threads in the order of their creation, the main one first. Package syscall
	// would read the entries too (getdents64(2)), but on the heap.
	const lengthOffset, nameOffset = 16, 19
	found := 0
	for list := entries[:n]; len(list) > nameOffset; {
		length := int(list[lengthOffset]) | int(list[lengthOffset+1])<<8
		if length <= nameOffset || length > len(list) {
			return 0
		}
		name := list[nameOffset:length]
		if name[0] != '.' {
			found++
		}
		if found == 2 {
			digits := 0
			for digits < len(name) && name[digits] != 0 {
				digits++
			}
			return copy(id, name[:digits])
		}
		list = list[length:]
	}
	return 0
}

// open opens a file by an absolute path; it returns a negative number when that fails.
func open(path *byte, flags int) int {
	const anywhere = ^uintptr(0) // the path is absolute
	fd, _, errno := syscall.RawSyscall6(syscall.SYS_OPENAT, anywhere, uintptr(unsafe.Pointer(path)), uintptr(flags|syscall.O_CLOEXEC), 0, 0, 0)
	if errno != 0 {
		return -1
	}
	return int(fd)
}
