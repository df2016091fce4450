package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/bundle"
	"coracle/libcontainer/cgroup"
	"coracle/libcontainer/compile"
	"coracle/libcontainer/launch"
	"coracle/libcontainer/program"
	"coracle/libcontainer/state"
)

// CreateOptions are the choices of create that are not in the bundle.
type CreateOptions struct {
	// Bundle is the directory of the bundle, "." when empty.
	Bundle string
	// ConsoleSocket is the path of a socket that gets the master of the terminal.
	// It is required when the configuration has process.terminal, and refused
	// otherwise.
	ConsoleSocket string
	// PidFile is written when the container has been created: the pid in digits
	// and nothing else.
	PidFile string
	// NoPivot moves the root instead of using pivot_root(2), for hosts on a ramdisk.
	NoPivot bool
	// NoNewKeyring keeps the session keyring of the caller.
	NoNewKeyring bool
	// PreserveFDs is the number of descriptors from 3 on that the process inherits.
	// Closed ones are skipped.
	PreserveFDs int
	// Stdin, Stdout and Stderr are the standard streams of the process without a
	// terminal; nil for those of the caller.
	Stdin, Stdout, Stderr *os.File

	// console makes the socket for a terminal in the foreground, see Run.
	console func() (*os.File, error)
	// slow is called when the creation takes longer than usual. It returns a
	// descriptor that becomes readable when the creation is to be given up; -1 for
	// never. It may be nil.
	slow func() int
}

// Create makes a container. Its process waits for [Container.Start]. When Create
// fails, nothing is left behind.
func (r *Runtime) Create(id string, o CreateOptions) (*Container, error) {
	// The order of the first steps: everything that can be refused without a
	// trace, then the directory, which decides between two creates with one id,
	// then the record, which tells delete of all that follows.
	if err := state.CheckID(id); err != nil {
		return nil, err
	}
	b, warnings, err := bundle.Load(o.Bundle)
	for _, w := range warnings {
		r.warn("%v", w)
	}
	if err != nil {
		return nil, err
	}
	r.trace("bundle read")
	if err := checkTerminal(b.Spec, o); err != nil {
		return nil, err
	}
	group, err := cgroup.New(b.Spec, id)
	if err != nil {
		return nil, err
	}
	dir, err := r.root().Create(id)
	if err != nil {
		return nil, err
	}
	defer dir.Close()

	n := &creation{runtime: r, options: o, bundle: b, group: group, dir: dir}
	n.record = &state.Record{
		ID: id, Bundle: b.Path, Rootfs: b.Rootfs, Created: time.Now().UTC().Format(time.RFC3339Nano), Owner: os.Getuid(),
		Annotations: b.Spec.Annotations, PrivatePid: privatePid(b.Spec), Cgroup: group.Saved(),
	}
	if err := n.create(); err != nil {
		n.undo()
		return nil, err
	}
	return &Container{runtime: r, id: id, record: n.record}, nil
}

// privatePid tells whether the container's pid namespace is a new one, whose end
// is the end of all its processes.
func privatePid(s *specs.Spec) bool {
	ns := bundle.Namespace(s, specs.PIDNamespace)
	return ns != nil && ns.Path == ""
}

func checkTerminal(s *specs.Spec, o CreateOptions) error {
	terminal := s.Process != nil && s.Process.Terminal
	switch {
	case terminal && o.ConsoleSocket == "" && o.console == nil:
		return errors.New("cannot allocate tty if coracle will detach without setting console socket (process.terminal is true)")
	case !terminal && o.ConsoleSocket != "":
		return errors.New("cannot use console socket if coracle will not detach or allocate tty (process.terminal is false)")
	}
	return nil
}

// creation is a container on its way to be created.
type creation struct {
	runtime *Runtime
	options CreateOptions
	bundle  *bundle.Bundle
	group   *cgroup.Manager
	dir     *state.Dir
	record  *state.Record
	init    *launch.Init
	fds     []int // to close on the host
}

func (n *creation) create() error {
	defer n.closeFDs()
	// The record comes first. All that happens before the launch has to be quick:
	// afterwards this process would only wait.
	if err := n.dir.Save(n.record); err != nil {
		return err
	}
	if err := n.group.Prepare(); err != nil {
		return err
	}
	n.runtime.trace("state recorded")

	preserved := openDescriptors(n.options.PreserveFDs)
	out, err := compile.Init(compile.Input{
		Bundle: n.bundle, ID: n.record.ID, Host: host(n.group, n.options.NoPivot),
		NoPivot: n.options.NoPivot, NoNewKeyring: n.options.NoNewKeyring, Preserved: preserved,
	})
	if err != nil {
		return err
	}
	for _, w := range out.Warnings {
		n.runtime.warn("%s", w)
	}
	n.runtime.trace("program compiled")
	n.record.Steps = stepsAfterGate(out)
	files, err := n.files(out, preserved)
	if err != nil {
		return err
	}
	command := launch.Command{
		Program: out.Program, CloneFlags: out.CloneFlags, Files: files,
		Socket: out.Socket, Image: out.Image, CgroupFD: -1, Slow: n.options.slow,
	}
	n.runtime.trace("sources opened")
	if d := n.group.BirthDir(); d != "" {
		if command.CgroupFD, err = n.open(d, unix.O_PATH|unix.O_DIRECTORY, "cgroup"); err != nil {
			return err
		}
	}
	// The init dies with the thread that made it, until it is on its own.
	if !n.runtime.Exclusive {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	if n.init, err = launch.Start(command); err != nil {
		return err
	}
	defer n.init.CloseSocket()
	n.runtime.trace("program launched")
	// The init has its own copies. If they stayed open here, nobody would see the
	// end of a stream or of the gate.
	n.closeFDs()
	if !n.group.BornInside() {
		if err := n.group.Create(); err != nil {
			return err
		}
		n.runtime.trace("cgroup made")
	}
	if err := n.dir.SaveConfig(n.bundle.Raw); err != nil {
		return err
	}
	if err := n.setUp(out.Forks); err != nil {
		return err
	}
	n.runtime.trace("container created")
	if err := n.dir.Created(); err != nil {
		return err
	}
	if n.options.PidFile != "" {
		if err := writePidFile(n.options.PidFile, n.record.Pid); err != nil {
			return err
		}
	}
	return nil
}

// setUp accompanies the init until the container is created.
func (n *creation) setUp(forks bool) error {
	for {
		e, err := n.init.Receive()
		if err != nil {
			return err
		}
		switch {
		case e.Kind == program.KindValue && e.A == compile.ValuePid && forks && e.FD >= 0:
			n.init.Fork(int(e.B), e.FD)
			forks = false
			if err := n.adopt(); err != nil {
				return err
			}
			e.FD = -1
		case e.Kind == program.KindSync && e.A == compile.SyncPid:
			// The pid comes from the parent of the process that asks, so it may
			// come later than the question.
			for forks {
				v, err := n.init.Receive()
				if err != nil {
					return err
				}
				if v.Kind != program.KindValue || v.FD < 0 {
					return errors.New("the init process did not send its pid")
				}
				n.init.Fork(int(v.B), v.FD)
				forks = false
				if err := n.adopt(); err != nil {
					return err
				}
			}
			err = n.init.Answer(make([]byte, program.MessageSize))
		case e.Kind == program.KindSync && e.A == compile.SyncCgroup:
			// They were made while the init came here.
			err = n.init.Answer(make([]byte, program.MessageSize))
			if err == nil && !forks {
				err = n.adopt()
			}
		case e.Kind == program.KindSync && e.A == compile.SyncReady && !forks:
			if err := n.adopt(); err != nil {
				return err
			}
			n.runtime.trace("container built")
			err = n.ready(e.FD)
		case e.Kind == program.KindDone && e.A == compile.DoneCreated && !forks:
			return n.adopt()
		default:
			err = fmt.Errorf("the init process sent an unexpected message %+v", e.Message)
		}
		if e.FD >= 0 {
			unix.Close(e.FD)
		}
		if err != nil {
			return err
		}
	}
}

// adopt records the process as the container's, and does to it what the process
// could not do itself. Until then the process ends with this one.
func (n *creation) adopt() error {
	if n.record.Pid == n.init.Pid {
		return nil
	}
	n.record.Pid = n.init.Pid
	start, err := state.StartTime(n.init.Pid)
	if errors.Is(err, state.ErrGone) {
		return nil // Receive will say why
	}
	if err != nil {
		return fmt.Errorf("init process %d: %w", n.init.Pid, err)
	}
	n.record.StartTime = start
	if err := n.dir.Save(n.record); err != nil {
		return err
	}
	if p := n.bundle.Spec.Process; p != nil && p.OOMScoreAdj != nil {
		return setOOMScoreAdj(n.init.Pid, *p.OOMScoreAdj)
	}
	return nil
}

// ready does what has to be done while the process still has its privileges.
func (n *creation) ready(passwd int) error {
	p := n.bundle.Spec.Process
	if err := setRlimits(n.init.Pid, p.Rlimits); err != nil {
		return err
	}
	answer := []byte("HOME=" + homeOf(passwd, p.User.UID) + "\x00")
	if len(answer) > compile.HomeSize {
		return errors.New("the home directory in /etc/passwd of the container has a name that is too long")
	}
	return n.init.Answer(answer)
}

// undo removes every trace.
func (n *creation) undo() {
	if n.init != nil {
		n.init.Kill()
		n.init.Close()
	}
	n.closeFDs()
	if err := n.group.Destroy(); err != nil {
		// The record stays, so that delete can try again.
		n.runtime.warn("container %q: %v", n.record.ID, err)
		return
	}
	if err := n.dir.Remove(); err != nil {
		n.runtime.warn("%v", err)
	}
}

func (n *creation) closeFDs() {
	for _, fd := range n.fds {
		unix.Close(fd)
	}
	n.fds = nil
}

func (n *creation) open(path string, flags int, what string) (int, error) {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", what, &os.PathError{Op: "open", Path: path, Err: err})
	}
	n.fds = append(n.fds, fd)
	return fd, nil
}

// files lays out the descriptors of the init.
func (n *creation) files(out *compile.Output, preserved []bool) ([]int, error) {
	files := make([]int, out.SourceFD, out.SourceFD+len(out.Sources))
	terminal := out.Console >= 0
	null := -1
	for i, f := range []*os.File{n.options.Stdin, n.options.Stdout, n.options.Stderr} {
		switch {
		case terminal:
			// The streams of the runtime must not be kept open by a container that
			// has a terminal of its own.
			if null < 0 {
				var err error
				if null, err = n.open("/dev/null", unix.O_RDWR, "standard streams"); err != nil {
					return nil, err
				}
			}
			files[i] = null
		case f != nil:
			files[i] = int(f.Fd())
		default:
			files[i] = i
		}
	}
	gate, err := n.listen()
	if err != nil {
		return nil, err
	}
	for i, open := range preserved {
		files[3+i] = 3 + i
		if !open {
			files[3+i] = gate // a placeholder that the program closes
		}
	}
	files[out.Gate] = gate
	if terminal {
		if files[out.Console], err = n.consoleSocket(); err != nil {
			return nil, err
		}
	}
	for _, s := range out.Sources {
		fd, err := s.Open()
		if err != nil {
			return nil, err
		}
		n.fds = append(n.fds, fd)
		files = append(files, fd)
	}
	return files, nil
}

// listen makes the gate.
func (n *creation) listen() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("gate: %w", os.NewSyscallError("socket", err))
	}
	n.fds = append(n.fds, fd)
	if err := unix.Bind(fd, gateAddress(n.dir)); err != nil {
		return -1, fmt.Errorf("gate: %w", os.NewSyscallError("bind", err))
	}
	if err := unix.Listen(fd, 1); err != nil {
		return -1, fmt.Errorf("gate: %w", os.NewSyscallError("listen", err))
	}
	return fd, nil
}

// gateAddress names the gate by the descriptor of its directory: the path of a
// state root may be longer than a socket address can be.
func gateAddress(dir *state.Dir) *unix.SockaddrUnix {
	return &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir.FD(), state.GateName)}
}

// consoleSocket connects to the receiver of the terminal.
func (n *creation) consoleSocket() (int, error) {
	if n.options.console != nil {
		f, err := n.options.console()
		if err != nil {
			return -1, fmt.Errorf("console socket: %w", err)
		}
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		f.Close()
		if err != nil {
			return -1, fmt.Errorf("console socket: %w", os.NewSyscallError("fcntl", err))
		}
		n.fds = append(n.fds, fd)
		return fd, nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("console socket: %w", os.NewSyscallError("socket", err))
	}
	n.fds = append(n.fds, fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: n.options.ConsoleSocket}); err != nil {
		return -1, fmt.Errorf("console socket %s: %w", n.options.ConsoleSocket, os.NewSyscallError("connect", err))
	}
	return fd, nil
}

// openDescriptors looks which of the descriptors from 3 on are open. Descriptors
// of the runtime itself, which are all closed on exec, do not count.
func openDescriptors(count int) []bool {
	open := make([]bool, count)
	for i := range open {
		flags, err := unix.FcntlInt(uintptr(3+i), unix.F_GETFD, 0)
		open[i] = err == nil && flags&unix.FD_CLOEXEC == 0
	}
	return open
}

// stepsAfterGate describes the ops that run after create has returned.
func stepsAfterGate(out *compile.Output) []state.Step {
	var steps []state.Step
	for op := out.GateOp; op < out.Program.Len(); op++ {
		note := out.Program.Note(op)
		steps = append(steps, state.Step{Op: op, What: note.Subject(), Call: out.Program.Call(op)})
	}
	return steps
}

// writePidFile replaces a file by one with the pid. Engines read it without
// trimming, and may look at any moment.
func writePidFile(path string, pid int) error {
	temporary := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), os.Getpid()))
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	_, err = f.WriteString(strconv.Itoa(pid))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		_ = os.Remove(temporary)
		return fmt.Errorf("pid file: %w", err)
	}
	return nil
}
