package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/bundle"
	"coracle/libcontainer/compile"
	"coracle/libcontainer/program"
	"coracle/libcontainer/state"
)

// Start opens the gate of a created container and returns when its process has
// been executed. When that fails, the error says why, and the container is
// stopped.
func (c *Container) Start() error {
	dir, err := c.runtime.root().Open(c.id)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Lock(); err != nil {
		return err
	}
	record, err := dir.Load()
	if err != nil {
		return err
	}
	c.record = record
	s, err := status(dir, record)
	if err != nil {
		return err
	}
	if s != specs.StateCreated {
		return fmt.Errorf("cannot start container %q: it is %s, not created", c.id, s)
	}
	if !slices.ContainsFunc(record.Steps, func(s state.Step) bool { return s.Call == "execve" }) {
		// "process: This property is REQUIRED when start is called" (config.md#process).
		return fmt.Errorf("cannot start container %q: its configuration has no process", c.id)
	}
	pidfd, err := record.OpenInit()
	if err != nil {
		return fmt.Errorf("cannot start container %q: %w", c.id, err)
	}
	defer unix.Close(pidfd)
	if err := openGate(dir, record, pidfd); err != nil {
		return err
	}
	dir.RemoveGate()
	c.runtime.trace("process started")
	return nil
}

// openGate connects to the init and listens until execve closes the connection.
func openGate(dir *state.Dir, record *state.Record, pidfd int) error {
	conn, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("start: %w", os.NewSyscallError("socket", err))
	}
	defer unix.Close(conn)
	if err := unix.Connect(conn, gateAddress(dir)); err != nil {
		return fmt.Errorf("start: gate of container %q: %w", record.ID, os.NewSyscallError("connect", err))
	}
	started := false
	for {
		fds := []unix.PollFd{{Fd: int32(conn), Events: unix.POLLIN}, {Fd: int32(pidfd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return fmt.Errorf("start: %w", os.NewSyscallError("poll", err))
		}
		buf := make([]byte, program.MessageSize+1)
		n, err := unix.Read(conn, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case n <= 0 && started:
			return nil
		case n <= 0:
			return fmt.Errorf("start: the init process of container %q died before it could execute the command", record.ID)
		}
		m, ok := program.DecodeMessage(buf[:n])
		switch {
		case ok && m.Kind == program.KindDone && m.A == compile.DoneStarted:
			started = true
		case ok && m.Kind == program.KindError:
			return startFailure(dir, record, m)
		default:
			return errors.New("start: the init process sent a malformed message")
		}
	}
}

// startFailure puts the report of a failed op behind the gate into words.
func startFailure(dir *state.Dir, record *state.Record, m program.Message) error {
	errno := syscall.Errno(m.B)
	for _, s := range record.Steps {
		if s.Op != int(m.A) {
			continue
		}
		if s.Call == "execve" {
			return &startError{compile.ExecError(commandOf(dir), errno), errno}
		}
		text := s.What
		if s.Call != "check" {
			text += ": " + s.Call
		}
		return &startError{text + ": " + errno.Error(), errno}
	}
	return fmt.Errorf("start: step %d of the init program: %w", m.A, errno)
}

type startError struct {
	text  string
	errno syscall.Errno
}

func (e *startError) Error() string { return e.text }
func (e *startError) Unwrap() error { return e.errno }

// commandOf is the first word of the command.
func commandOf(dir *state.Dir) string {
	raw, err := dir.Config()
	if err != nil {
		return "?"
	}
	spec, _, err := bundle.Decode(raw)
	if err != nil || spec.Process == nil || len(spec.Process.Args) == 0 {
		return "?"
	}
	return spec.Process.Args[0]
}
