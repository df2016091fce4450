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
	"coracle/libcontainer/internal/initprog/program"
)

// holdThread makes sure that this thread lives until the returned function is called:
// an init dies with the thread that made it, until it is on its own.
func (r *Runtime) holdThread() (release func()) {
	if r.Exclusive {
		return func() {}
	}
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}

// launch starts a program with its files, in the cgroup of the unified hierarchy that
// birth names. It may be silent up to the deadline, when that is not 0.
func (r *Runtime) launch(h *hostFiles, out *compile.Output, files []int, birth string, interrupt int, deadline time.Duration) (*launch.Init, error) {
	command := launch.Command{
		Program: out.Program, CloneFlags: out.CloneFlags, Files: files,
		Socket: out.Socket, Image: out.Image, CgroupFD: -1, Interrupt: interrupt, Deadline: deadline,
	}
	if birth != "" {
		var err error
		if command.CgroupFD, err = h.open(birth, unix.O_PATH|unix.O_DIRECTORY, "cgroup"); err != nil {
			return nil, err
		}
	}
	init, err := launch.Start(command)
	if birth != "" && out.Outside != 0 && errors.Is(err, unix.EAGAIN) {
		// At its limit of processes a cgroup has no births, but takes who comes.
		out.Program.Preset(out.Outside, 1)
		command.CgroupFD = -1
		init, err = launch.Start(command)
	}
	h.close()
	return init, err
}

// setup is the conversation with an init until it has built what it is for.
type setup struct {
	init *launch.Init
	// process is what the init becomes; nil when the container has none.
	process *specs.Process
	// forks tells that the init goes on in a child. In one that joins a container nobody
	// says anything before the fork (joins).
	forks, joins bool
	// adopt is called once, when the final process is known. It may be nil.
	adopt   func() error
	adopted bool
	// netDevices moves the network devices that the container gets; nil when there are none.
	netDevices func() error
	// hooks runs the hooks before the pivot; nil when there are none. It gets the root of
	// the container.
	hooks func(root int) error
	// mounts helps with mounts; nil when there are none.
	mounts *mountHelper
	// listener takes the seccomp listener that came with the last stage; nil when there is
	// none.
	listener func(fd int) error
	// maps gives a new user namespace its mappings; nil without one.
	maps func() error
	// source opens a source that the init asks for, apart from the runtime's own mount
	// namespace where it says so; nil when there is none.
	source func(fd int, apart bool) (int, error)
	// notices are the warnings that the init may give, and notice gets them.
	notices []string
	notice  func(string)
	// idle is called when the init has much to do and this process has nothing.
	idle  func()
	trace func(string)
}

// follow serves the sync points of the init until it has completed the given stage.
func (s *setup) follow(stage uint32) error {
	for {
		e, err := s.init.Receive()
		if err != nil {
			return err
		}
		if s.joins && s.forks && e.Kind != program.KindValue {
			// The child was quicker than its parent, which tells the pid.
			if err := s.receivePid(); err != nil {
				closeFD(e.FD)
				return err
			}
		}
		done := e.Kind == program.KindDone && e.A == stage && !s.forks
		if done {
			if err = s.adoptOnce(); err == nil {
				err = s.takeListener(e.FD)
			}
		} else {
			err = s.serve(&e)
		}
		closeFD(e.FD)
		if err != nil || done {
			return err
		}
	}
}

// closeFD closes a descriptor if there is one.
func closeFD(fd int) {
	if fd >= 0 {
		unix.Close(fd)
	}
}

// takeListener passes on a seccomp listener, for which the init waits.
func (s *setup) takeListener(fd int) error {
	switch {
	case fd < 0 && s.listener == nil:
		return nil
	case fd < 0 || s.listener == nil:
		return errors.New("the init process sent a seccomp listener where there is none, or none where there is one")
	}
	if err := s.listener(fd); err != nil {
		return err
	}
	return s.init.Answer(make([]byte, program.MessageSize))
}

func (s *setup) serve(e *launch.Event) error {
	acknowledge := func() error { return s.init.Answer(make([]byte, program.MessageSize)) }
	switch {
	case e.Kind == program.KindValue && e.A == compile.ValuePid && s.forks && e.FD >= 0:
		return s.forked(e)
	case e.Kind == program.KindValue && e.A == compile.ValueNotice && int(e.B) < len(s.notices):
		s.notice(s.notices[e.B])
		return nil
	case e.Kind == program.KindSync && e.A == compile.SyncPid:
		// The pid comes from the parent of the process that asks, so it may come
		// later than the question.
		if s.forks {
			if err := s.receivePid(); err != nil {
				return err
			}
		}
		return acknowledge()
	case e.Kind == program.KindSync && e.A == compile.SyncMaps && s.maps != nil:
		if err := s.maps(); err != nil {
			return err
		}
		return acknowledge()
	case e.Kind == program.KindSync && e.A == compile.SyncCgroup:
		// They are there: they were made while the init came here.
		if err := acknowledge(); err != nil {
			return err
		}
		if s.idle != nil {
			s.idle()
		}
		if s.forks {
			return nil
		}
		return s.adoptOnce()
	case e.Kind == program.KindSync && e.A == compile.SyncNetDevices && !s.forks && s.netDevices != nil:
		if err := s.netDevices(); err != nil {
			return err
		}
		s.trace("network devices moved")
		return acknowledge()
	case e.Kind == program.KindSync && e.A == compile.SyncHooks && !s.forks && s.hooks != nil && e.FD >= 0:
		if err := s.adoptOnce(); err != nil {
			return err
		}
		if err := s.hooks(e.FD); err != nil {
			return err
		}
		s.trace("hooks run")
		return acknowledge()
	case e.Kind == program.KindSync && e.A == compile.SyncSource && s.source != nil:
		fd, err := s.source(int(e.B), e.C == compile.SourceApart)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return s.init.AnswerWith(fd)
	case e.Kind == program.KindSync && e.A == compile.SyncReady && !s.forks && s.process != nil:
		if err := s.adoptOnce(); err != nil {
			return err
		}
		s.trace("container built")
		return s.ready(e.FD)
	}
	if s.mounts != nil {
		switch answer, ok, err := s.mounts.serve(e, s.init.Pid); {
		case err != nil:
			return err
		case ok && answer:
			return acknowledge()
		case ok:
			return nil
		}
	}
	return fmt.Errorf("the init process sent an unexpected message %+v", e.Message)
}

// receivePid waits until the parent of the process that goes on has told its pid.
func (s *setup) receivePid() error {
	e, err := s.init.Receive()
	if err != nil {
		return err
	}
	if e.Kind != program.KindValue || e.A != compile.ValuePid || e.FD < 0 {
		closeFD(e.FD)
		return errors.New("the init process did not send its pid")
	}
	return s.forked(&e)
}

// forked follows the init into its child.
func (s *setup) forked(e *launch.Event) error {
	s.init.Fork(int(e.B), e.FD)
	e.FD, s.forks = -1, false
	return s.adoptOnce()
}

// adoptOnce makes the final process known.
func (s *setup) adoptOnce() error {
	if s.adopted {
		return nil
	}
	s.adopted = true
	if s.adopt != nil {
		return s.adopt()
	}
	return nil
}

// ready does what has to be done while the process still has its privileges.
func (s *setup) ready(passwd int) error {
	if err := setRlimits(s.init.Pid, s.process.Rlimits); err != nil {
		return err
	}
	answer := []byte("HOME=" + homeOf(passwd, s.process.User.UID) + "\x00")
	if len(answer) > compile.HomeSize {
		return errors.New("the home directory in /etc/passwd of the container has a name that is too long")
	}
	return s.init.Answer(answer)
}
