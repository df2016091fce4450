// Package launch runs init programs and talks with them.
//
// A program is executed from a sealed memfd, in new namespaces where wanted. It
// and the runtime share one socket, on which the program reports errors, waits at
// sync points and announces what it has completed. The runtime never waits for
// the socket alone: the end of the process and an interruption wake it too.
//
// The package knows programs, and nothing of configurations.
package launch

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/linux"
)

// Command is a program with what it is to be run with.
type Command struct {
	Program *program.Program
	// CloneFlags are the namespaces to make.
	CloneFlags uintptr
	// Files has a descriptor of the caller for each descriptor of the program, -1
	// for none. The entries for Socket and Image are filled in.
	Files []int
	// Socket and Image are where the program expects its end of the conversation
	// and its own image.
	Socket, Image int
	// CgroupFD is a directory of the unified cgroup hierarchy that the program is
	// born in; none for that of the caller.
	CgroupFD linux.FD
	// Patience, Interrupt and Trace are those of the [Conversation].
	Patience  time.Duration
	Interrupt *linux.Interrupt
	Trace     func(protocol.Message)
	// Opaque makes the image unreadable: the kernel then lets nobody look into the
	// process, from its first moment on, who could not do so outside of its user
	// namespace.
	Opaque bool
}

// Init is a running program.
type Init struct {
	// Pid is the process id in the namespace of the runtime.
	Pid int
	// Pidfd is a descriptor of the process. [Init.Close] closes it.
	Pidfd int

	conversation Conversation
}

// Start runs the program. The thread of the caller becomes its parent as far as
// PR_SET_PDEATHSIG is concerned: it has to be locked and to live on until the
// program has announced that it is on its own.
func Start(c Command) (*Init, error) {
	image, err := memfd(c.Program.Image())
	if err != nil {
		return nil, fmt.Errorf("init program: %w", err)
	}
	defer unix.Close(image)
	mode := uint32(0o777)
	if c.Opaque {
		mode = 0o111
	}
	if err := unix.Fchmod(image, protocol.ImageMark|mode); err != nil {
		return nil, fmt.Errorf("init program: %w", os.NewSyscallError("fchmod", err))
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("init program: %w", os.NewSyscallError("socketpair", err))
	}
	defer unix.Close(pair[1])

	files := make([]uintptr, len(c.Files))
	for i, fd := range c.Files {
		files[i] = uintptr(fd)
	}
	files[c.Socket], files[c.Image] = uintptr(pair[1]), uintptr(image)
	pidfd := -1
	attr := &syscall.ProcAttr{
		Env:   []string{},
		Files: files,
		Sys: &syscall.SysProcAttr{
			Cloneflags:  c.CloneFlags,
			UseCgroupFD: c.CgroupFD.Exists(),
			CgroupFD:    c.CgroupFD.Int(),
			PidFD:       &pidfd,
		},
	}
	// The path is looked up in the child, where the image has its own place.
	pid, err := syscall.ForkExec(fmt.Sprintf("/proc/self/fd/%d", c.Image), []string{ImageName}, attr)
	runtime.KeepAlive(c)
	if err != nil {
		unix.Close(pair[0])
		return nil, startError(c, err)
	}
	if pidfd < 0 {
		unix.Close(pair[0])
		_ = unix.Kill(pid, unix.SIGKILL)
		_, _ = unix.Wait4(pid, nil, 0, nil)
		return nil, errors.New("init program: the kernel gives no pidfd; Linux 5.14 or later is needed")
	}
	return &Init{Pid: pid, Pidfd: pidfd, conversation: Conversation{
		Socket: linux.NewFD(pair[0]), Pidfd: linux.NewFD(pidfd), Interrupt: c.Interrupt, Patience: c.Patience,
		Explain: explain(c.Program), Trace: c.Trace,
	}}, nil
}

// explain puts the failures of a program into words.
func explain(p *program.Program) func(protocol.Message) error {
	return func(m protocol.Message) error {
		if f := p.Explain(m); f != nil {
			return f
		}
		return errors.New("the init process reported an error of an op that it does not have")
	}
}

// startError explains why no process could be made.
func startError(c Command, err error) error {
	hint := ""
	switch {
	case errors.Is(err, unix.EPERM) && c.CloneFlags != 0 && !mayMakeNamespaces():
		hint = " (new namespaces need CAP_SYS_ADMIN)"
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS):
		hint = " (a limit of namespaces in /proc/sys/user is reached, or namespaces are nested too deeply)"
	case errors.Is(err, unix.EBUSY) && c.CgroupFD.Exists():
		hint = " (the cgroup has passed its controllers on to cgroups below it, and can have no processes)"
	case errors.Is(err, unix.EAGAIN):
		hint = " (a limit of processes is reached)"
	}
	return fmt.Errorf("start the init process: %w%s", err, hint)
}

// ImageName is the name of the file in memory that an init process runs.
const ImageName = "coracle-init"

// memfd makes a sealed executable file in memory: what a container sees as its
// /proc/1/exe can never be written to (CVE-2019-5736).
func memfd(image []program.Part) (int, error) {
	fd, err := unix.MemfdCreate(ImageName, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3 there is no MFD_EXEC, and all are executable
		fd, err = unix.MemfdCreate(ImageName, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return -1, os.NewSyscallError("memfd_create", err)
	}
	for _, part := range image {
		for done := 0; done < len(part.Data); {
			n, err := unix.Pwrite(fd, part.Data[done:], part.Offset+int64(done))
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				unix.Close(fd)
				return -1, os.NewSyscallError("write", err)
			}
			done += n
		}
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("seal", err)
	}
	return fd, nil
}

// DeathError means that a program ended before it had said why.
type DeathError struct{ Status unix.WaitStatus }

func (e *DeathError) Error() string {
	return "the init process " + e.How() + " while the container was set up"
}

// How says how the program ended: "was killed (signal 9)".
func (e *DeathError) How() string {
	switch {
	case e.Killed():
		return "was killed (signal 9)"
	case e.Status.Signaled():
		return fmt.Sprintf("died from signal %d (%s)", e.Status.Signal(), unix.SignalName(e.Status.Signal()))
	}
	return fmt.Sprintf("ended with status %d", e.Status.ExitStatus())
}

// Killed reports whether the program was ended by SIGKILL.
func (e *DeathError) Killed() bool { return e.Status.Signaled() && e.Status.Signal() == unix.SIGKILL }

// Receive waits for the next message. The report of a failed op is returned as a
// [program.Failure], the end of the process without one as a [DeathError].
func (i *Init) Receive() (Event, error) {
	e, err := i.conversation.Receive()
	return e, i.explain(err)
}

// explain puts the end of the process in place of the end of the conversation.
func (i *Init) explain(err error) error {
	if errors.Is(err, ErrEnded) {
		return i.death()
	}
	return err
}

// Failed returns what [Init.Receive] would return for a process that has failed or ended,
// and nil for one that goes on. It does not wait. Other messages are lost: it is for a
// conversation that will not be continued.
func (i *Init) Failed() error { return i.explain(i.conversation.Failed()) }

// Executed waits until execve has closed the conversation, which the program announced
// just before. A report of a failure that comes instead is returned, and for a program that
// ended before the execve a [DeathError].
func (i *Init) Executed() error {
	name := OpenName(i.Pid)
	defer name.Close()
	for {
		e, err := i.conversation.Receive()
		switch {
		case errors.Is(err, ErrEnded) && name.Executed(i.Pid, i.Pidfd):
			return nil
		case err != nil:
			return i.explain(err)
		}
		e.FD.Close()
	}
}

// Answer lets the program go on, with data where the point asks for some.
func (i *Init) Answer(data []byte) error { return i.explain(i.conversation.Answer(data)) }

// Acknowledge lets the program go on.
func (i *Init) Acknowledge() error { return i.explain(i.conversation.Acknowledge()) }

// AnswerWith lets the program go on with a descriptor.
func (i *Init) AnswerWith(fd int) error { return i.explain(i.conversation.AnswerWith(fd)) }

// Fork follows the program into a child that it made: pid and pidfd become those
// of the child, which the kernel has made a child of this process.
func (i *Init) Fork(pid, pidfd int) {
	_, _ = i.Wait()
	unix.Close(i.Pidfd)
	i.Pid, i.Pidfd = pid, pidfd
	i.conversation.Pidfd = linux.NewFD(pidfd)
}

// death reaps the process and says how it ended.
func (i *Init) death() error {
	status, err := i.Wait()
	if err != nil {
		return err
	}
	return &DeathError{status}
}

// Wait waits for the end of the process and reaps it.
func (i *Init) Wait() (unix.WaitStatus, error) {
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_PIDFD, i.Pidfd, &info, unix.WEXITED, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, os.NewSyscallError("waitid", err)
		}
		return waitStatus(&info), nil
	}
}

// Kill ends the process and reaps it.
func (i *Init) Kill() {
	_ = unix.PidfdSendSignal(i.Pidfd, unix.SIGKILL, nil, 0)
	_, _ = i.Wait()
}

// TakeConversation leaves the conversation to the caller, who has to close it.
func (i *Init) TakeConversation() *Conversation {
	c := i.conversation
	i.conversation.Socket = linux.FD{}
	return &c
}

// CloseSocket ends the conversation.
func (i *Init) CloseSocket() { i.conversation.Close() }

// Close releases the descriptors. The process goes on.
func (i *Init) Close() {
	i.CloseSocket()
	unix.Close(i.Pidfd)
}

// mayMakeNamespaces reports whether this process has CAP_SYS_ADMIN.
func mayMakeNamespaces() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&header, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}
