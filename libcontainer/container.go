// Package libcontainer creates and runs OCI containers on Linux.
//
// A [Runtime] manages the containers below a state root. Create builds a container from a bundle
// and leaves its first process waiting at a gate; Start opens the gate; Signal, State and Delete
// do what their names say. Each step may run in another process, because all state is in the
// state root.
//
//	rt := libcontainer.Runtime{Root: "/run/coracle"}
//	c, err := rt.Create(ctx, "demo", libcontainer.CreateOptions{Bundle: "/path/to/bundle"})
//	…
//	err = c.Start(ctx)
//
// Methods that can wait have a context. When it is over they return soon, with an error that
// wraps its error; what they had begun is undone, or can be completed by another call. A
// context that cannot end costs nothing.
//
// Their errors are an [*Error], one line of text with a code and what else is known: errors.As
// finds it, and errors.Is finds codes, sentinels and errnos.
//
// The package does nothing that concerns the whole process: it catches no signals, reaps no
// children but its own, and leaves the terminal alone. Processes that it makes are children of
// the caller's, which has to wait for them.
//
// A program that creates containers must not change its own namespaces or root
// directory meanwhile.
package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/failpoint"
	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/state"
)

// Runtime is a state root with the containers below it.
type Runtime struct {
	// Root is the directory that holds the state, such as /run/coracle.
	Root string
	// Exclusive reports whether this process is a command that does nothing else. Its threads
	// then live as long as the process, so Create need not lock a thread for the init, which
	// would take a tenth of its time.
	Exclusive bool
	// Rootless reports whether a container may run without the cgroups that this process has no
	// permission to create. If nil, this holds for unprivileged processes and for root in a user
	// namespace.
	Rootless *bool
	// CgroupDriver selects who creates the cgroups of new containers; [CgroupCgroupfs] when
	// empty. For existing containers the state has the driver.
	CgroupDriver CgroupDriver
	// TimerSlack, when not 0, is the timer slack of processes in containers, in nanoseconds.
	// Timer slack is inherited (prctl(2), PR_SET_TIMERSLACK): a caller that changes its own
	// sets the original value here.
	TimerSlack int
	// Warn is called with messages that are worth logging and are not errors. It
	// may be nil.
	Warn func(message string)
	// Remark is called with hints for the author of a configuration: properties that are unknown
	// or have no effect. They are common in the configurations of engines. It may be nil.
	Remark func(message string)
	// Trace is called at the end of each phase of a command, to show where time is spent. It may
	// be nil.
	Trace func(phase string)
}

// TracePhase calls Trace for a phase of the caller, who makes a command of several calls.
func (r *Runtime) TracePhase(phase string) { r.trace(phase) }

func (r *Runtime) trace(phase string) {
	failpoint.Hit(phase)
	if r.Trace != nil {
		r.Trace(phase)
	}
}

func (r *Runtime) warn(format string, args ...any) {
	if r.Warn != nil {
		r.Warn(fmt.Sprintf(format, args...))
	}
}

func (r *Runtime) remark(format string, args ...any) {
	if r.Remark != nil {
		r.Remark(fmt.Sprintf(format, args...))
	}
}

// report passes on the warnings and remarks of the compiler.
func (r *Runtime) report(out *compile.Output) {
	for _, w := range out.Warnings {
		r.warn("%s", w.Sentence())
	}
	for _, w := range out.Remarks {
		r.remark("%s", w.Sentence())
	}
}

func (r *Runtime) root() state.Root { return state.Root(r.Root) }

// StatusPaused is the status of a container whose processes are frozen. The specification allows
// additional statuses (runtime.md#state).
const StatusPaused specs.ContainerState = "paused"

// Container is a container with a snapshot of its record, taken by [Runtime.Load] or by the last
// method that read it. Methods that need the current record read it again.
type Container struct {
	runtime *Runtime
	id      string
	record  *state.Record
	config  *specs.Spec // see spec; nil when it has not been read
}

// Runtime is the runtime that found or created the container.
func (c *Container) Runtime() *Runtime { return c.runtime }

// ID is the id of the container.
func (c *Container) ID() string { return c.id }

// Pid returns the pid of the container's first process in the runtime's pid namespace, according
// to the snapshot. The process may have ended.
func (c *Container) Pid() int {
	if c.record == nil {
		return 0
	}
	return c.record.Pid
}

// Pidfd opens the first process of the container, to wait for it or to signal it (pidfd_open(2)).
// The caller has to close the descriptor. The error wraps [ErrNotRunning] when the process has
// ended.
func (c *Container) Pidfd() (_ int, err error) {
	defer explain(&err, c.id, "pidfd")
	if c.record == nil {
		if _, err := c.reload(); err != nil {
			return -1, err
		}
	}
	fd, err := c.record.OpenInit()
	if err != nil {
		return -1, c.notRunning(err)
	}
	return fd, nil
}

// Container returns a container without checking that it exists. The errors of its methods wrap
// [ErrNotExist] if it does not.
func (r *Runtime) Container(id string) *Container { return &Container{runtime: r, id: id} }

// Load returns an existing container. The error wraps [ErrNotExist] when there is none.
func (r *Runtime) Load(id string) (_ *Container, err error) {
	defer explain(&err, id, "load")
	return r.load(id)
}

func (r *Runtime) load(id string) (*Container, error) {
	dir, err := r.root().Open(id)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	record, err := dir.Load()
	if err != nil {
		return nil, err
	}
	return &Container{runtime: r, id: id, record: record}, nil
}

// State is the state of a container: that of the specification (runtime.md#state) and additional
// fields that engines expect.
type State struct {
	Version     string               `json:"ociVersion"`
	ID          string               `json:"id"`
	Pid         int                  `json:"pid"`
	Status      specs.ContainerState `json:"status"`
	Bundle      string               `json:"bundle"`
	Rootfs      string               `json:"rootfs"`
	Created     string               `json:"created"` // RFC 3339
	Annotations map[string]string    `json:"annotations,omitempty"`
	Owner       string               `json:"owner"`
}

// State returns the current state of the container.
func (c *Container) State() (_ *State, err error) {
	defer explain(&err, c.id, "state")
	dir, err := c.runtime.root().Open(c.id)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	record, err := dir.Load()
	if err != nil {
		return nil, err
	}
	c.record = record
	status, err := status(dir, record, false)
	if err != nil {
		return nil, err
	}
	s := &State{
		Version: specs.Version, ID: record.ID, Pid: record.Pid, Status: status, Bundle: record.Bundle,
		Rootfs: record.Rootfs, Created: record.Created, Annotations: record.Annotations, Owner: ownerName(record.Owner),
	}
	if status == specs.StateStopped {
		s.Pid = 0
	}
	return s, nil
}

// status computes the status; it is never stored, because it would become outdated. locked
// reports whether the caller has the lock of the directory, so that no other command is working
// on the container.
func status(dir *state.Dir, r *state.Record, locked bool) (specs.ContainerState, error) {
	alive, err := r.Alive()
	if err != nil {
		return "", fmt.Errorf("container %q: %w", r.ID, err)
	}
	if dir.Creating() {
		// "the container is being created": its init still runs the program, or there is no init
		// yet. The marker stays a moment longer, and forever when run was killed right after
		// the process began.
		if alive && runsImage(r.Pid) || !alive && !locked && dir.Busy() {
			return specs.StateCreating, nil
		}
	}
	if !alive {
		return specs.StateStopped, nil
	}
	frozen, err := cgroup.Load(r.Cgroup).Frozen()
	if err != nil {
		return "", fmt.Errorf("container %q: %w", r.ID, err)
	}
	switch {
	case frozen:
		return StatusPaused, nil
	case dir.HasGate() && runsImage(r.Pid):
		return specs.StateCreated, nil
	}
	return specs.StateRunning, nil
}

// runsImage reports whether a process is still the init program. The gate's socket alone does not
// show that, because it stays when start is killed at the wrong moment.
func runsImage(pid int) bool {
	exe, err := linux.PID(pid).Exe()
	if errors.Is(err, os.ErrNotExist) {
		// Its first thread has ended. The init program has no other.
		threads, err := linux.PID(pid).Threads()
		return err != nil || len(threads) < 2
	}
	//allow:prefix the name of a memfd is no path
	return err != nil || strings.HasPrefix(exe, "/memfd:"+launch.ImageName)
}

// List returns the state of all containers, sorted by id. A container that is deleted meanwhile
// is left out; one that cannot be read is reported as a warning.
func (r *Runtime) List() (_ []State, err error) {
	defer explain(&err, "", "list")
	ids, err := r.root().IDs()
	if err != nil {
		return nil, err
	}
	states := make([]State, 0, len(ids))
	for _, id := range ids {
		s, err := r.Container(id).State()
		switch {
		case errors.Is(err, ErrNotExist):
		case errors.Is(err, state.ErrUnreadable):
			r.warn("%v", err)
		case err != nil:
			return nil, err
		default:
			states = append(states, *s)
		}
	}
	return states, nil
}
