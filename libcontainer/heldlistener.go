package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/linux"
)

// heldListener is the seccomp listener of a process whose filter does not let it send the
// listener. The process waits until the runtime has handed the listener over.
type heldListener struct {
	fd int
	// call identifies the system call with which the process waits, if the filter passes it to
	// the listener.
	call     uint64
	notified bool
	pidfd    int
}

// errNoListener means that the process ended before it had a listener.
var errNoListener = errors.New("the process has ended before its seccomp filter was loaded")

// holdListener copies the listener from a process that is about to load its filter.
func holdListener(pid, pidfd int, notified bool, interrupt *linux.Interrupt) (*heldListener, error) {
	h := &heldListener{fd: -1, notified: notified, pidfd: pidfd}
	deadline := time.Now().Add(agentTimeout)
	for h.fd < 0 {
		var err error
		if h.fd, err = listenerOfProcess(pid, pidfd); err != nil {
			return nil, fmt.Errorf("take the seccomp listener: %w", err)
		}
		if h.fd >= 0 {
			break
		}
		if err := waitWhileAlive(pidfd, -1, deadline, time.Millisecond, interrupt); err != nil {
			return nil, err
		}
	}
	if !notified {
		return h, nil
	}
	if err := waitWhileAlive(pidfd, h.fd, deadline, agentTimeout, interrupt); err != nil {
		unix.Close(h.fd)
		return nil, err
	}
	var notification [80]byte // struct seccomp_notif
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(h.fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&notification))); errno != 0 {
		unix.Close(h.fd)
		return nil, fmt.Errorf("take the seccomp listener: %w", os.NewSyscallError("ioctl", errno))
	}
	h.call = *(*uint64)(unsafe.Pointer(&notification))
	return h, nil
}

// waitWhileAlive waits until a descriptor is readable, or for a time; fd -1 means none. It fails
// when the process has ended or the deadline has passed.
func waitWhileAlive(pidfd, fd int, deadline time.Time, at time.Duration, interrupt *linux.Interrupt) error {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}, {Fd: int32(fd), Events: unix.POLLIN}}
	n, err := interrupt.PollUntil(fds, time.Now().Add(at))
	switch {
	case err != nil:
		return err
	case n > 0 && fds[0].Revents != 0:
		return errNoListener
	case time.Now().After(deadline):
		return errors.New("the process has not loaded its seccomp filter in time")
	}
	return nil
}

// listenerOfProcess returns a copy of the process's seccomp listener, -1 when it has none yet.
func listenerOfProcess(pid, pidfd int) (int, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	//allow:path the host's /proc; what the links say is only compared
	entries, err := os.ReadDir(dir)
	if err != nil {
		return -1, nil // it has ended; the caller notices
	}
	for _, e := range entries {
		//allow:path the same
		link, err := os.Readlink(dir + "/" + e.Name())
		n, numberErr := strconv.ParseUint(e.Name(), 10, 31)
		if err != nil || numberErr != nil || link != "anon_inode:seccomp notify" {
			continue
		}
		return unix.PidfdGetfd(pidfd, int(n), 0)
	}
	return -1, nil
}

// takeHeld takes the listener of a process that announces that it loads its filter, gives it to
// the agent and lets the process continue.
func takeHeld(pid, pidfd int, m protocol.Message, give func(fd int) error, acknowledge func() error, interrupt *linux.Interrupt) error {
	held, err := holdListener(pid, pidfd, m.Listener() == protocol.ListenerNotified, interrupt)
	if err != nil {
		return err
	}
	if err := give(held.fd); err != nil {
		held.end()
		return err
	}
	return held.release(acknowledge)
}

// release lets the process continue, by answering its system call or by answer.
func (h *heldListener) release(answer func() error) error {
	defer unix.Close(h.fd)
	if !h.notified {
		return answer()
	}
	response := struct { // struct seccomp_notif_resp
		id    uint64
		value int64
		errno int32
		flags uint32
	}{id: h.call, value: 1}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(h.fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&response))); errno != 0 {
		return fmt.Errorf("answer the seccomp listener: %w", os.NewSyscallError("ioctl", errno))
	}
	return nil
}

// end kills the process, which would otherwise wait forever, because its own copy keeps the
// listener open.
func (h *heldListener) end() {
	unix.Close(h.fd)
	_ = unix.PidfdSendSignal(h.pidfd, unix.SIGKILL, nil, 0)
}
