package source

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/linux/aside"
)

// Maker creates new namespaces in a separate process while the program that will enter them is
// being compiled. For the kernel, creating a network namespace takes as long as the rest of a
// container.
//
// The namespaces belong to the runtime's user namespace.
type Maker struct {
	flags uint64
	aside aside.Process
	err   error
	begun bool
	// request sets the loopback device up.
	request ifreq
	paths   [][]byte
	calls   []aside.Call
	// fds are the namespaces that were not taken yet, indexed as makeable.
	fds []linux.FD
}

// ifreq is struct ifreq of the kernel (netdevice(7)).
type ifreq struct {
	name  [unix.IFNAMSIZ]byte
	flags uint16
	_     [22]byte
}

// makeable are the namespaces that a Maker can create: those that a process can enter without
// other effects, such as a change of its root directory.
var makeable = []struct {
	flag uint64
	name string
}{
	{unix.CLONE_NEWNET, "net"},
	{unix.CLONE_NEWIPC, "ipc"},
	{unix.CLONE_NEWUTS, "uts"},
}

// NewMaker returns a maker for those of the namespaces (CLONE_NEW*) that are worth it, nil when
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

// Flags returns the namespaces that it creates (CLONE_NEW*); none for nil.
func (m *Maker) Flags() uint64 {
	if m == nil {
		return 0
	}
	return m.flags
}

// The calls of the process. After these it opens the namespaces.
const (
	callUnshare = iota
	callSocket
	callLoopback
	callClose
	callOpen
)

// Start starts creating the namespaces. [New.Open] waits for them.
func (m *Maker) Start() {
	if m == nil {
		return
	}
	m.begun = true
	copy(m.request.name[:], "lo")
	m.request.flags = unix.IFF_UP | unix.IFF_RUNNING
	calls := make([]aside.Call, callOpen, callOpen+len(makeable))
	calls[callUnshare] = aside.Call{Number: unix.SYS_UNSHARE, Args: [3]uintptr{uintptr(m.flags)}}
	calls[callSocket] = aside.Call{Number: unix.SYS_SOCKET, Args: [3]uintptr{unix.AF_INET, unix.SOCK_DGRAM | unix.SOCK_CLOEXEC}}
	socket := &calls[callSocket].Result
	calls[callLoopback] = aside.Call{Number: unix.SYS_IOCTL, Args: [3]uintptr{0, unix.SIOCSIFFLAGS, aside.Address(&m.request)}, First: socket}
	calls[callClose] = aside.Call{Number: unix.SYS_CLOSE, First: socket}
	for _, ns := range makeable {
		if m.flags&ns.flag == 0 {
			continue
		}
		path := append([]byte("/proc/self/ns/"+ns.name), 0)
		m.paths = append(m.paths, path)
		calls = append(calls, aside.Call{Number: unix.SYS_OPENAT, Args: [3]uintptr{^uintptr(0), aside.Address(&path[0]), unix.O_RDONLY | unix.O_CLOEXEC}})
	}
	m.calls = calls
	if err := m.aside.Start(calls); err != nil {
		m.err = fault.About("linux.namespaces", "make the other namespaces (linux.namespaces): %w", err)
	}
}

// finish waits for the process and takes the namespaces.
func (m *Maker) finish() {
	if m.fds != nil {
		return
	}
	m.fds = make([]linux.FD, len(makeable))
	if m.err != nil {
		return
	}
	done := m.aside.Wait()
	m.err = m.failure(m.calls, done)
	n := callOpen
	for i, ns := range makeable {
		if m.flags&ns.flag == 0 {
			continue
		}
		if n < done {
			m.fds[i] = linux.NewFD(m.calls[n].Result)
		}
		n++
	}
}

// failure returns an error about the call that failed. done is the number of calls that were
// made.
func (m *Maker) failure(calls []aside.Call, done int) error {
	var err error
	if done > 0 {
		err = calls[done-1].Err()
	}
	what := "make the other namespaces"
	switch last := done - 1; {
	case err == nil && done == len(calls):
		return nil
	case err == nil:
		err = errors.New("the process that makes them was killed")
	case last == callUnshare:
		err = os.NewSyscallError("unshare", err)
	case last < callOpen:
		what = "bring up the loopback device"
		err = os.NewSyscallError([]string{callSocket: "socket", callLoopback: "ioctl", callClose: "close"}[last], err)
	default:
		err = &os.PathError{Op: "open", Path: unix.ByteSliceToString(m.paths[last-callOpen]), Err: err}
	}
	return fault.About("linux.namespaces", "%s (linux.namespaces): %w", what, err)
}

// Close closes the namespaces that were not taken. It may be called more than once.
func (m *Maker) Close() {
	if m == nil || !m.begun {
		return
	}
	m.finish()
	for i := range m.fds {
		m.fds[i].Close()
	}
}

// New is a new namespace of a [Maker].
type New struct {
	Name  string // as in the configuration: "network"
	Flag  uint64 // CLONE_NEW*
	Maker *Maker `json:"-"`
}

// Open waits until the namespace exists.
func (n New) Open(Opened) (int, error) {
	n.Maker.finish()
	if n.Maker.err != nil {
		return -1, n.Maker.err
	}
	for i, ns := range makeable {
		if ns.flag == n.Flag && n.Maker.fds[i].Exists() {
			return n.Maker.fds[i].Take().Int(), nil
		}
	}
	return -1, errors.New("a namespace was requested twice")
}
