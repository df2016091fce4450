package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/failpoint"
	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/bundle"
	"coracle/libcontainer/internal/state"
)

// Start starts a created container and returns when its process has been executed. When that
// fails, the error says why, and the container is stopped.
func (c *Container) Start(ctx context.Context) (err error) {
	defer explain(&err, c.id, "start")
	interrupt, err := interruptOf(ctx)
	if err != nil {
		return err
	}
	defer interrupt.Close()
	n, err := c.created(interrupt)
	if err != nil {
		return err
	}
	defer n.close()
	return c.start(n)
}

// created locks a container to start it.
func (c *Container) created(interrupt *linux.Interrupt) (*handle, error) {
	dir, s, err := c.lock(interrupt)
	if err != nil {
		return nil, err
	}
	if s != specs.StateCreated {
		dir.Close()
		return nil, statusCode(s).Errorf("cannot start container %q: it is %s, not created", c.id, s)
	}
	pidfd, err := c.record.OpenInit()
	if err != nil {
		dir.Close()
		return nil, fmt.Errorf("cannot start container %q: %w", c.id, err)
	}
	return &handle{container: c, dir: dir, pidfd: pidfd, interrupt: interrupt}, nil
}

// start is Start for a locked container that is known to be created.
func (c *Container) start(n *handle) error {
	record, dir := c.record, n.dir
	if !record.HasProcess {
		// "process: This property is REQUIRED when start is called" (config.md#process).
		return fault.Facts{Code: fault.ConfigInvalid, Property: "process"}.Errorf("cannot start container %q: its configuration has no process", c.id)
	}
	h, err := c.startHooks(n)
	if err != nil {
		return err
	}
	if h != nil {
		defer unix.Close(h.root)
	}
	s := starting{container: c, dir: dir, pidfd: n.pidfd, interrupt: n.interrupt, hooks: h, name: launch.OpenName(record.Pid)}
	defer s.name.Close()
	direct := n.conversation != nil
	if direct {
		err = s.follow(n.conversation)
	} else {
		err = s.openGate()
	}
	if err != nil {
		err = asShortage(cgroup.Load(record.Cgroup), "the container was started", err)
	} else {
		if direct {
			err = dir.Created()
		} else {
			dir.RemoveGate()
		}
		c.runtime.trace("process started")
		if h != nil {
			// Unlike earlier hooks, poststart hooks are not killed when the container's process exits.
			h.dir = dir
			err = h.asHookError(h.run("poststart", h.spec.Hooks.Poststart, inRuntime, specs.StateRunning))
		}
	}
	var failed *hookError
	switch {
	case errors.As(err, &failed):
		// The container is stopped and destroyed (runtime.md#lifecycle, steps 7, 9, 12).
		if killErr := killInit(record, nil); killErr != nil {
			c.runtime.warn("%v", killErr)
		} else if destroyErr := c.runtime.destroy(dir, record, nil); destroyErr != nil {
			c.runtime.warn("%v", destroyErr)
		}
	case errors.Is(err, ErrInterrupted), errors.Is(err, launch.ErrSilent):
		// It must not start later, when the caller no longer expects it.
		if killErr := killInit(record, nil); killErr != nil {
			c.runtime.warn("%v", killErr)
		}
	}
	return err
}

// hookError is the failure of a hook.
type hookError struct{ error }

func (e *hookError) Unwrap() error { return e.error }

func (h *hookRunner) asHookError(err error) error {
	if err == nil {
		return nil
	}
	return &hookError{err}
}

// startHooks prepares the hooks of start; nil when there are none.
func (c *Container) startHooks(n *handle) (*hookRunner, error) {
	if !c.record.StartHooks {
		return nil, nil
	}
	spec, err := specOf(n.dir)
	if err != nil {
		return nil, err
	}
	root, err := openRoot(c.record.Pid)
	if err != nil {
		return nil, fmt.Errorf("root of container %q: %w", c.id, err)
	}
	return &hookRunner{runtime: c.runtime, spec: spec, record: c.record, pidfd: n.pidfd, root: root, interrupt: n.interrupt}, nil
}

// starting is the start of a container, as a conversation with its init.
type starting struct {
	container *Container
	dir       *state.Dir
	pidfd     int
	interrupt *linux.Interrupt
	hooks     *hookRunner // nil when there are none
	// name was opened while the init was known to wait.
	name launch.Name
}

// openGate connects to the init and listens until execve closes the connection.
func (s *starting) openGate() error {
	conn, err := linux.DialUntil(gatePath(s.dir), unix.SOCK_SEQPACKET, failpoint.Patience(agentTimeout), s.interrupt)
	if err != nil {
		if s.container.record.Ending() {
			return fmt.Errorf("cannot start: %w", s.container.notRunning(nil))
		}
		return fmt.Errorf("start: gate of container %q: %w", s.container.id, err)
	}
	c := launch.Conversation{Socket: linux.NewFD(conn), Pidfd: linux.NewFD(s.pidfd), Interrupt: s.interrupt, Trace: s.container.runtime.traceMessage()}
	defer c.Close()
	s.container.runtime.trace("gate opened")
	return s.follow(&c)
}

// follow serves a starting init until execve closes the connection.
func (s *starting) follow(c *launch.Conversation) error {
	record := s.container.record
	c.Explain = func(m protocol.Message) error { return startFailure(s.dir, record, m) }
	announced := false
	for {
		e, err := c.Receive()
		var failed *startError
		switch {
		case errors.Is(err, launch.ErrEnded) && announced:
			return s.ended()
		case errors.Is(err, launch.ErrEnded):
			return fmt.Errorf("start: the init process of container %q could not execute the command: %w", record.ID, errDied)
		case errors.As(err, &failed):
			return err
		case errors.Is(err, launch.ErrSilent):
			return fmt.Errorf("start: the init process of container %q: %w%s", record.ID, err, launch.Held(record.Pid))
		case err != nil:
			return fmt.Errorf("start: %w", err)
		}
		if e.IsDone(protocol.StageStarted) {
			announced = true
		}
		err = s.serve(c, &e)
		e.FD.Close()
		if err != nil {
			return err
		}
	}
}

// serve serves a message of a starting init.
func (s *starting) serve(c *launch.Conversation, e *launch.Event) error {
	record, h := s.container.record, s.hooks
	switch {
	case e.IsSync(protocol.PointStart) && h != nil:
		if err := h.run("startContainer", h.spec.Hooks.StartContainer, inContainer, specs.StateCreated); err != nil {
			return h.asHookError(err)
		}
	case e.IsDone(protocol.StageStarted) && e.FD.Exists() && record.Listener != nil:
		// The init waits until the agent has its listener. If the connection is closed instead,
		// it ends.
		if err := handOver(record.Listener, record, record.Pid, specs.StateCreated, e.FD.Int(), s.interrupt); err != nil {
			return fmt.Errorf("start: %w", err)
		}
	case e.IsDone(protocol.StageStarted) && e.Listener() != protocol.ListenerNotHeld && record.Listener != nil:
		give := func(fd int) error {
			return handOver(record.Listener, record, record.Pid, specs.StateCreated, fd, s.interrupt)
		}
		err := takeHeld(record.Pid, s.pidfd, e.Message, give, c.Acknowledge, s.interrupt)
		if err != nil && !errors.Is(err, errNoListener) { // otherwise the init reports why
			return fmt.Errorf("start: %w", err)
		}
		return nil
	case e.IsDone(protocol.StageStarted) && !e.FD.Exists():
		return nil
	default:
		return fmt.Errorf("start: the init process sent an unexpected message: %s", e.Message)
	}
	if err := c.Acknowledge(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	return nil
}

// ended reports whether the conversation ended by the announced execve, or because the init died
// before it. The later end of the process does not matter to start.
//
// If the parent has reaped the process already, this cannot be found out. It then counts as
// started: it reached execve(2) and reported no error, and the parent knows how it ended.
func (s *starting) ended() error {
	record := s.container.record
	if s.name.Executed(record.Pid, s.pidfd) {
		return nil
	}
	if record.Mute && !s.killedForMemory() {
		return errMute
	}
	return fmt.Errorf("start: the init process of container %q was killed before it had executed the command: %w", record.ID, errDied)
}

// killedForMemory reports whether a process of the container was killed for lack of memory.
func (s *starting) killedForMemory() bool {
	shortage := cgroup.Load(s.container.record.Cgroup).Shortage()
	return shortage != nil && shortage.Killed > 0
}

// startFailure describes the report of an op that failed after the gate.
func startFailure(dir *state.Dir, record *state.Record, m protocol.Message) error {
	op, errno := program.FailedOp(m)
	for _, s := range record.Steps {
		if s.Op != op {
			continue
		}
		if s.Kind == state.StepExec {
			p := startedProcess(dir)
			return fault.Hinted(&startError{compile.ExecError(p, errno), errno, s}, compile.ExecHint(p, errno))
		}
		text := s.What
		if s.Kind != state.StepCheck {
			text += ": " + s.Call
		}
		return &startError{text + ": " + errno.Error(), errno, s}
	}
	return &startError{fmt.Sprintf("start: step %d of the init program: %v", op, errno), errno, state.Step{}}
}

type startError struct {
	text  string
	errno syscall.Errno
	step  state.Step
}

func (e *startError) Error() string { return e.text }
func (e *startError) Unwrap() error { return e.errno }

// Facts makes it a [fault.Knower].
func (e *startError) Facts() fault.Facts {
	f := fault.Facts{Phase: "start", Errno: e.errno, Property: e.step.Property, ContainerPath: e.step.Path}
	if e.step.Kind != state.StepCheck {
		f.Op = e.step.Call
	}
	return f
}

// specOf returns the configuration that a container was created from.
func specOf(dir *state.Dir) (*specs.Spec, error) {
	raw, err := dir.Config()
	if err != nil {
		return nil, err
	}
	spec, _, err := bundle.Decode(raw)
	return spec, err
}

// startedProcess returns the process that a container was created with, for an error.
func startedProcess(dir *state.Dir) *specs.Process {
	spec, err := specOf(dir)
	if err != nil || spec.Process == nil || len(spec.Process.Args) == 0 {
		return &specs.Process{Args: []string{"?"}}
	}
	return spec.Process
}
