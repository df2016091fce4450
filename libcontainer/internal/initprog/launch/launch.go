// Package launch runs init programs and communicates with them.
//
// A program is executed from a sealed memfd, in new namespaces if wanted. It shares a socket with
// the runtime, on which it reports errors, waits at sync points and announces completed stages.
// The runtime never waits for the socket alone: the end of the process and an interrupt wake it,
// too.
//
// The package does not know configurations.
package launch

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/failpoint"
	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/linux"
)

// Command is a program and how to run it.
type Command struct {
	Program *program.Program
	// CloneFlags are the namespaces to create.
	CloneFlags uintptr
	// Files has a descriptor of the caller for each descriptor of the program, -1 for none. Start
	// fills in the entries for Socket and Image.
	Files []int
	// Socket and Image are the program's descriptors of the socket and of its own image.
	Socket, Image int
	// CgroupFD is a directory of the unified cgroup hierarchy that the program is
	// born in; none for that of the caller.
	CgroupFD linux.FD
	// Patience, Extend, Interrupt and Trace are those of the [Conversation].
	Patience  time.Duration
	Extend    func() bool
	Interrupt *linux.Interrupt
	Trace     func(protocol.Message)
	// Opaque makes the image unreadable. Then only processes that could inspect the program from
	// outside of its user namespace can inspect it, from its first moment on.
	Opaque bool
}

// Init is a running program.
type Init struct {
	// Pid is the process id in the runtime's pid namespace.
	Pid int
	// Pidfd is a descriptor of the process. [Init.Close] closes it.
	Pidfd int

	conversation Conversation
}

// Start runs the program. The calling thread becomes its parent for PR_SET_PDEATHSIG: it has to
// be locked, and to live until the program has announced that it is independent.
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
		Socket: linux.NewFD(pair[0]), Pidfd: linux.NewFD(pidfd), Interrupt: c.Interrupt, Patience: c.Patience, Extend: c.Extend,
		Explain: explain(c.Program), Trace: c.Trace,
	}}, nil
}

// explain returns a function that turns the reports of a program into errors.
func explain(p *program.Program) func(protocol.Message) error {
	return func(m protocol.Message) error {
		if f := p.Explain(m); f != nil {
			return f
		}
		return errors.New("the init process reported an error of an op that it does not have")
	}
}

// startError explains why no process could be created.
func startError(c Command, err error) error {
	hint := ""
	switch {
	case errors.Is(err, unix.EPERM) && c.CloneFlags != 0 && !mayMakeNamespaces():
		hint = "new namespaces need CAP_SYS_ADMIN"
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS):
		hint = "a limit of namespaces in /proc/sys/user is reached, or namespaces are nested too deeply"
	case errors.Is(err, unix.EBUSY) && c.CgroupFD.Exists():
		hint = "the cgroup has passed its controllers on to cgroups below it, and can have no processes"
	case errors.Is(err, unix.EAGAIN):
		hint = "a limit of processes is reached"
	}
	f := fault.Facts{Op: "clone"}
	switch {
	case errors.Is(err, unix.EAGAIN):
		f.Code = fault.ProcessesExhausted
	case c.CloneFlags != 0:
		f.Property = "linux.namespaces"
	}
	return fault.Hinted(f.Errorf("start the init process: %w", err), hint)
}

// ImageName is the name of the memfd that an init process executes.
const ImageName = "coracle-init"

// memfd creates a sealed executable memfd: what a container sees as /proc/1/exe cannot be written
// to (CVE-2019-5736).
func memfd(image []program.Part) (int, error) {
	fd, err := unix.MemfdCreate(ImageName, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3 there is no MFD_EXEC, and every memfd is executable
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

// DeathError means that a program ended without a report.
type DeathError struct{ Status unix.WaitStatus }

func (e *DeathError) Error() string {
	return "the init process " + e.How() + " while the container was set up"
}

// Facts makes it a [fault.Knower].
func (e *DeathError) Facts() fault.Facts { return fault.Facts{Code: fault.InitDied} }

// How describes how the program ended: "was killed (signal 9)".
func (e *DeathError) How() string {
	switch {
	case e.Killed():
		return "was killed (signal 9)"
	case e.Status.Signaled():
		return fmt.Sprintf("died from signal %d (%s)", e.Status.Signal(), unix.SignalName(e.Status.Signal()))
	}
	return fmt.Sprintf("ended with status %d", e.Status.ExitStatus())
}

// Killed reports whether SIGKILL ended the program.
func (e *DeathError) Killed() bool { return e.Status.Signaled() && e.Status.Signal() == unix.SIGKILL }

// Receive waits for the next message. It returns the report of a failed op as a
// [program.Failure], and the end of the process without a report as a [DeathError].
func (i *Init) Receive() (Event, error) {
	e, err := i.conversation.Receive()
	return e, i.explain(err)
}

// explain puts the end of the process in place of the end of the conversation, and says why it
// does not answer.
func (i *Init) explain(err error) error {
	switch {
	case errors.Is(err, ErrEnded):
		return i.death()
	case errors.Is(err, ErrSilent):
		return fmt.Errorf("%w%s", err, Held(i.Pid))
	}
	return err
}

// Failed returns the error of [Init.Receive] if the process has failed or ended, otherwise nil.
// It does not wait. Other messages are lost, so the conversation cannot be continued.
func (i *Init) Failed() error { return i.explain(i.conversation.Failed()) }

// Executed waits until execve has closed the connection, which the program announced before. It
// returns the report of a failure if that comes instead, and a [DeathError] if the program ended
// before the execve.
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

// Answer answers the program, with data if the point asks for it.
func (i *Init) Answer(data []byte) error { return i.explain(i.conversation.Answer(data)) }

// Acknowledge answers the program without data.
func (i *Init) Acknowledge() error { return i.explain(i.conversation.Acknowledge()) }

// Order gives the init an order with a descriptor.
func (i *Init) Order(order []byte, fd int) error { return i.explain(i.conversation.Order(order, fd)) }

// AnswerWith answers the program with a descriptor.
func (i *Init) AnswerWith(fd int) error { return i.explain(i.conversation.AnswerWith(fd)) }

// Fork follows the program into a child that it made, which the kernel has made a child of this
// process. It takes the pidfd. The parent of the child has nothing left to do, and its end is
// waited for; when it does not end, the child is killed.
//
// Attacker: who has got hold of the child, and with it of the conversation, before its parent
// has told of it. So it counts what the kernel says of the pidfd.
func (i *Init) Fork(pidfd int) error {
	pid, err := linux.PidOf(pidfd)
	if err == nil {
		var info unix.Siginfo
		err = unix.Waitid(unix.P_PIDFD, pidfd, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	}
	if err != nil {
		unix.Close(pidfd)
		return fmt.Errorf("the init process told of a child that it does not have: %w", err)
	}
	if err := i.awaitEnd(); err != nil {
		_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
		unix.Close(pidfd)
		return err
	}
	_, _ = i.Wait()
	unix.Close(i.Pidfd)
	i.Pid, i.Pidfd = pid, pidfd
	i.conversation.Pidfd = linux.NewFD(pidfd)
	return nil
}

// awaitEnd waits for the end of a program that has nothing left to do. Somebody may stop or
// freeze it even then, and what it has open may hold it up.
func (i *Init) awaitEnd() error {
	n, err := i.conversation.Interrupt.PollUntil([]unix.PollFd{{Fd: int32(i.Pidfd), Events: unix.POLLIN}}, time.Now().Add(failpoint.Patience(longestEnd)))
	if err == nil && n == 0 {
		err = ErrSilent
	}
	return err
}

// death reaps the process and says how it ended.
func (i *Init) death() error {
	if err := i.awaitEnd(); err != nil {
		return fmt.Errorf("the end of the init process: %w%s", err, Held(i.Pid))
	}
	status, err := i.Wait()
	if err != nil {
		return err
	}
	return &DeathError{status}
}

// Wait waits for the end of the process and reaps it. Only who knows that it has ended should
// call it: there is no other end to the wait.
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

// dyingPatience is how long a process may take to die from SIGKILL.
const dyingPatience = 10 * time.Second

// Kill is [Init.KillWithin] a time that is long enough for what can be killed.
func (i *Init) Kill() error { return i.KillWithin(dyingPatience) }

// KillWithin kills the process and reaps it. A process in a frozen cgroup, or in a system call
// that cannot be interrupted, is given up after the limit, which is the error: it ends when it
// is let go, and stays a child of this process.
func (i *Init) KillWithin(limit time.Duration) error {
	_ = unix.PidfdSendSignal(i.Pidfd, unix.SIGKILL, nil, 0)
	limit = failpoint.Patience(limit)
	n, err := linux.Poll([]unix.PollFd{{Fd: int32(i.Pidfd), Events: unix.POLLIN}}, limit)
	if err == nil && n == 0 {
		return fault.InitSilent.Errorf("process %d did not die from SIGKILL in %d s%s", i.Pid, int(limit.Seconds()), Held(i.Pid))
	}
	if err == nil {
		_, _ = i.Wait() // it may have been reaped before
	}
	if errors.Is(err, unix.ECHILD) {
		return nil // it has been reaped before: see death
	}
	return err
}

// Held says what holds a process up, as far as that can be seen: " (it is stopped by a signal)".
func Held(pid int) string {
	stat, err := linux.PID(pid).Stat()
	if err != nil {
		return ""
	}
	switch stat.State() {
	case "T", "t":
		return " (it is stopped by a signal or a tracer)"
	case "D":
		return " (it waits in the kernel: it may be frozen, or a file system or a device does not answer)"
	}
	return ""
}

// Interrupt returns what ends the conversation.
func (i *Init) Interrupt() *linux.Interrupt { return i.conversation.Interrupt }

// TakeConversation hands the conversation over to the caller, who has to close it.
func (i *Init) TakeConversation() *Conversation {
	c := i.conversation
	i.conversation.Socket = linux.FD{}
	return &c
}

// CloseSocket closes the connection.
func (i *Init) CloseSocket() { i.conversation.Close() }

// Close closes the descriptors. The process continues.
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
