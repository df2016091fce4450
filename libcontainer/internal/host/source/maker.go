package source

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Maker makes new namespaces on a thread of its own, while the program that will enter
// them is still being compiled: a network namespace takes the kernel as long as all the
// rest of a container.
//
// They belong to the user namespace of the runtime.
type Maker struct {
	flags uint64
	done  chan struct{}
	fds   map[uint64]int
	err   error
}

// makeable are the namespaces that a Maker can make: those that a process enters without
// losing anything else, such as its root directory.
var makeable = []struct {
	flag uint64
	name string
}{
	{unix.CLONE_NEWNET, "net"},
	{unix.CLONE_NEWIPC, "ipc"},
	{unix.CLONE_NEWUTS, "uts"},
}

// NewMaker is a maker of those of the namespaces (CLONE_NEW*) that are worth it, nil when
// there are none.
func NewMaker(flags uint64) *Maker {
	if flags&unix.CLONE_NEWNET == 0 {
		return nil
	}
	m := &Maker{}
	for _, ns := range makeable {
		m.flags |= flags & ns.flag
	}
	return m
}

// Flags are the namespaces that it makes (CLONE_NEW*); none for nil.
func (m *Maker) Flags() uint64 {
	if m == nil {
		return 0
	}
	return m.flags
}

// Start begins to make the namespaces. [New.Open] waits for them.
func (m *Maker) Start() {
	if m == nil {
		return
	}
	m.done = make(chan struct{})
	go m.run()
}

func (m *Maker) run() {
	// The thread cannot be used for anything else afterwards. It ends with the
	// goroutine, which never unlocks it.
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		// The first thread stands for the process and does not end. While it waits
		// here, another one has to take over.
		go m.run()
		<-m.done
		runtime.UnlockOSThread()
		return
	}
	m.fds, m.err = makeNamespaces(m.flags)
	close(m.done)
}

// makeNamespaces puts the calling thread into new namespaces and opens them.
func makeNamespaces(flags uint64) (map[uint64]int, error) {
	if err := unix.Unshare(int(flags)); err != nil {
		return nil, fmt.Errorf("make the other namespaces (linux.namespaces): %w", os.NewSyscallError("unshare", err))
	}
	if err := loopbackUp(); err != nil {
		return nil, fmt.Errorf("bring up the loopback device (linux.namespaces): %w", err)
	}
	fds := make(map[uint64]int)
	for _, ns := range makeable {
		if flags&ns.flag == 0 {
			continue
		}
		//allow:path the host's /proc
		fd, err := unix.Open("/proc/thread-self/ns/"+ns.name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			for _, fd := range fds {
				unix.Close(fd)
			}
			return nil, fmt.Errorf("make the other namespaces (linux.namespaces): %w", &os.PathError{Op: "open", Path: "/proc/thread-self/ns/" + ns.name, Err: err})
		}
		fds[ns.flag] = fd
	}
	return fds, nil
}

// loopbackUp brings up the loopback device of the thread's network namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	request := struct {
		name  [unix.IFNAMSIZ]byte
		flags uint16
		_     [22]byte // the rest of struct ifreq
	}{flags: unix.IFF_UP | unix.IFF_RUNNING}
	copy(request.name[:], "lo")
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return os.NewSyscallError("ioctl", errno)
	}
	return nil
}

// Close closes what nobody has taken. It may be called more than once.
func (m *Maker) Close() {
	if m == nil || m.done == nil {
		return
	}
	<-m.done
	for _, fd := range m.fds {
		unix.Close(fd)
	}
	m.fds = nil
}

// New is a new namespace that a [Maker] makes.
type New struct {
	Name  string // as in the configuration: "network"
	Flag  uint64 // CLONE_NEW*
	Maker *Maker `json:"-"`
}

// Open waits until the namespace is there.
func (n New) Open(Opened) (int, error) {
	<-n.Maker.done
	if n.Maker.err != nil {
		return -1, n.Maker.err
	}
	fd, ok := n.Maker.fds[n.Flag]
	if !ok {
		return -1, errors.New("a namespace was asked for twice")
	}
	delete(n.Maker.fds, n.Flag)
	return fd, nil
}
