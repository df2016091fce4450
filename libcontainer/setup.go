package libcontainer

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/bundle"
)

// holdThread keeps this thread alive until the returned function is called, because an init dies
// with the thread that created it until it is independent.
func (r *Runtime) holdThread() (release func()) {
	if r.Exclusive {
		return func() {}
	}
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}

// launch starts a program with its files, in the cgroup of the unified hierarchy that birth
// names. wait says how long the conversation may wait for the program.
func (r *Runtime) launch(h *hostFiles, out *compile.Output, files []int, birth string, wait waiting) (*launch.Init, error) {
	command := launch.Command{
		Program: out.Program, CloneFlags: out.CloneFlags, Files: files,
		Socket: out.Socket, Image: out.Image, Interrupt: wait.interrupt, Patience: wait.patience, Extend: wait.extend, Trace: r.traceMessage(),
		// The container sees the image as /proc/PID/exe and can execute it, and the image has
		// paths of the host. A runtime that cannot read the image itself must not make it
		// unreadable: the program would be non-dumpable, and the runtime could not look after it.
		Opaque: bundle.HasCapabilities(ownCapabilities(), unix.CAP_DAC_OVERRIDE),
	}
	if birth != "" {
		fd, err := h.open(birth, unix.O_PATH|unix.O_DIRECTORY, "cgroup")
		if err != nil {
			return nil, err
		}
		command.CgroupFD = linux.NewFD(fd)
	}
	outside := func() {
		out.Program.Preset(out.Outside, 1)
		command.CgroupFD = linux.FD{}
	}
	mayMove := birth != "" && out.Outside != 0
	if mayMove && wait.outside {
		outside()
	}
	init, err := launch.Start(command)
	if mayMove && errors.Is(err, unix.EAGAIN) {
		// At its limit of processes a cgroup refuses new children, but still accepts processes
		// that move into it.
		outside()
		init, err = launch.Start(command)
	}
	h.close()
	return init, err
}

// waiting is what ends the wait for a program, see [launch.Conversation].
type waiting struct {
	interrupt *linux.Interrupt
	patience  time.Duration
	extend    func() bool
	// outside reports whether the program moves into its cgroup instead of starting there. In a
	// frozen cgroup it could not start, and the conversation would never begin.
	outside bool
}

// traceMessage returns a function that traces messages; nil when tracing is off.
func (r *Runtime) traceMessage() func(protocol.Message) {
	if r.Trace == nil {
		return nil
	}
	return func(m protocol.Message) { r.Trace("init: " + m.String()) }
}

// setup serves an init until it has reached a stage. at registers what to do at a point; at other
// points the init is not expected.
type setup struct {
	init *launch.Init
	// interrupt ends waits that are not part of the conversation.
	interrupt *linux.Interrupt
	// forks is how often the init will continue in a child. This is how a program enters a pid
	// namespace:
	//
	//	parent          child
	//	fork ─────────▶ begins
	//	value pid         sync, or done
	//	ends
	//
	// Both messages come through one socket, in any order. last is how many of the forks come
	// when the program has been at all points but PointPid.
	forks, last int
	// adopt is called when the process at a point that needs it is known, and again when the final
	// process is. It may be nil.
	adopt func(final bool) error
	// adopted is the process that is known.
	adopted int
	points  [protocol.Points]handler
	// values takes what the init hands over, but for its pid. It may be nil.
	values func(*launch.Event) (ok bool)
	// pid is called at PointPid, when the process is known. It may be nil.
	pid func() error
	// listener receives the seccomp listener that came with the last stage; nil when there is
	// none.
	listener func(fd int) error
}

// handler handles a point.
type handler struct {
	// final reports whether it needs the final process.
	final bool
	// serve handles the point and answers; nil where the init is not expected.
	serve func(*launch.Event) error
}

// at registers what to do at a point before the init continues. final reports whether it needs
// the final process.
func (s *setup) at(p protocol.Point, final bool, do func() error) {
	s.points[p] = handler{final, func(*launch.Event) error {
		if err := do(); err != nil {
			return err
		}
		return s.init.Acknowledge()
	}}
}

// follow serves the init until it has reached a stage.
func (s *setup) follow(stage protocol.Stage) error {
	for {
		e, err := s.init.Receive()
		if err != nil {
			s.childOfFailed()
			return err
		}
		done, err := s.serve(&e, stage)
		e.FD.Close()
		if err != nil || done {
			return err
		}
	}
}

// serve serves a message. done reports whether it announces the stage.
func (s *setup) serve(e *launch.Event, stage protocol.Stage) (done bool, err error) {
	switch {
	case e.IsValue(protocol.ValuePid) && s.forks > 0 && e.FD.Exists():
		return false, s.forked(e)
	case e.Kind == protocol.KindValue && s.values != nil && s.values(e):
		return false, nil
	case e.IsDone(stage):
		if err := s.until(0); err != nil {
			return false, err
		}
		return true, s.takeListener(e)
	case e.IsSync(protocol.PointPid):
		if err := s.until(0); err != nil {
			return false, err
		}
		if s.pid != nil {
			if err := s.pid(); err != nil {
				return false, err
			}
		}
		return false, s.init.Acknowledge()
	}
	p, ok := e.Point()
	if !ok || int(p) >= len(s.points) || s.points[p].serve == nil || s.last > 0 && s.forks == 0 {
		return false, fmt.Errorf("the init process sent an unexpected message: %s", e.Message)
	}
	if s.points[p].final {
		if err := s.until(s.last); err != nil {
			return false, err
		}
	}
	return false, s.points[p].serve(e)
}

// until follows the init until the given number of forks is left, and makes the process known.
func (s *setup) until(forks int) error {
	for s.forks > forks {
		if err := s.receivePid(); err != nil {
			return err
		}
	}
	return s.adoptOnce()
}

// childOfFailed finds the child of an init that has failed, so that the caller can kill the child
// as well.
func (s *setup) childOfFailed() {
	for s.forks > 0 {
		if err := s.receivePid(); err != nil {
			return
		}
	}
}

// receivePid waits until the parent has sent the pid of the process that continues.
func (s *setup) receivePid() error {
	e, err := s.init.Receive()
	if err != nil {
		return err
	}
	defer e.FD.Close()
	if !e.IsValue(protocol.ValuePid) || !e.FD.Exists() {
		return errors.New("the init process did not send its pid")
	}
	return s.forked(&e)
}

// forked continues with the init's child.
func (s *setup) forked(e *launch.Event) error {
	if err := s.init.Fork(e.FD.Take().Int()); err != nil {
		return err
	}
	s.forks--
	return nil
}

// adoptOnce makes the process known.
func (s *setup) adoptOnce() error {
	if s.adopted == s.init.Pid {
		return nil
	}
	s.adopted = s.init.Pid
	if s.adopt != nil {
		return s.adopt(s.forks == 0)
	}
	return nil
}

// takeListener passes on a seccomp listener; the init waits for that.
func (s *setup) takeListener(e *launch.Event) error {
	comes := e.FD.Exists() || e.Listener() != protocol.ListenerNotHeld
	switch {
	case !comes && s.listener == nil:
		return nil
	case !comes || s.listener == nil:
		return errors.New("the init process sent a seccomp listener where there is none, or none where there is one")
	case e.FD.Exists():
		if err := s.listener(e.FD.Int()); err != nil {
			return err
		}
		return s.init.Acknowledge()
	}
	err := takeHeld(s.init.Pid, s.init.Pidfd, e.Message, s.listener, s.init.Acknowledge, s.interrupt)
	if errors.Is(err, errNoListener) {
		if failure := s.init.Failed(); failure != nil {
			return failure // it reported why
		}
	}
	return err
}

// atReady registers what to do while the process still has its privileges. place checks where the
// process is at that moment; it may be nil.
func (s *setup) atReady(p *specs.Process, trace func(string), place func() error) {
	s.points[protocol.PointReady] = handler{true, func(e *launch.Event) error {
		trace("container built")
		if place != nil {
			if err := place(); err != nil {
				return err
			}
		}
		if err := setRlimits(s.init.Pid, p.Rlimits, s.last > 0); err != nil {
			return err
		}
		home, err := homeOf(s.init.Interrupt(), e.FD.Take(), p.User.UID)
		if err != nil {
			return err
		}
		answer := []byte("HOME=" + home + "\x00")
		if len(answer) > protocol.HomeSize {
			return errors.New("the home directory in /etc/passwd of the container has a name that is too long")
		}
		return s.init.Answer(answer)
	}}
}
