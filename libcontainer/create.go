package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/internal/foreground/signals"
	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/host/idmap"
	"coracle/libcontainer/internal/host/netdevice"
	"coracle/libcontainer/internal/host/rdt"
	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/oci/bundle"
	"coracle/libcontainer/internal/state"
)

// CreateOptions are the choices of create that are not in the bundle.
type CreateOptions struct {
	// Bundle is the directory of the bundle, "." when empty.
	Bundle string
	// Config is the path of the configuration, config.json in the bundle when empty. Paths
	// in the configuration are relative to the bundle in any case.
	Config string
	// ConsoleSocket is the path of a socket that gets the master of the terminal.
	// It is required when the configuration has process.terminal, and refused
	// otherwise.
	ConsoleSocket string
	// PidFile is written when the container has been created: the pid in digits
	// and nothing else.
	PidFile string
	// PidfdSocket is the path of a socket that gets a pidfd of the process when the
	// container has been created.
	PidfdSocket string
	// NoPivot moves the root instead of using pivot_root(2), for hosts on a ramdisk.
	NoPivot bool
	// NoNewKeyring keeps the session keyring of the caller.
	NoNewKeyring bool
	// PreserveFDs is the number of descriptors from 3 on that the process inherits.
	// Closed ones are skipped.
	PreserveFDs int
	// ListenFDs is the number of descriptors from 3 on that a service manager has passed
	// on and that the process is told of, with their names (sd_listen_fds(3)). The
	// PreserveFDs come behind them.
	ListenFDs     int
	ListenFDNames string
	// Stdin, Stdout and Stderr are the standard streams of the process without a
	// terminal; nil for those of the caller.
	Stdin, Stdout, Stderr *os.File

	// console makes the socket for a terminal in the foreground, see Run.
	console func() (*os.File, error)
	// signals has signals that end the creation; nil when nobody catches them.
	signals *signals.Pipe
	// starts tells that the caller starts the container at once.
	starts bool
}

// Create makes a container. Its process waits for [Container.Start]. When Create
// fails, nothing is left behind.
func (r *Runtime) Create(id string, o CreateOptions) (*Container, error) {
	c, err := r.create(id, o)
	if err != nil {
		return nil, err
	}
	c.close()
	return c.container, nil
}

// created is a container that has just been created, still locked.
type created struct {
	container *Container
	dir       *state.Dir
	pidfd     int
	// conversation is the one with the init, which goes on until the container has been
	// started; nil when start has to open the gate.
	conversation *launch.Conversation
}

// unlock ends what only this process may do.
func (c *created) unlock() {
	c.dir.Close()
	if c.conversation != nil {
		c.conversation.Close()
		c.conversation = nil
	}
}

// close unlocks the container and lets go of its process.
func (c *created) close() {
	c.unlock()
	unix.Close(c.pidfd)
}

func (r *Runtime) create(id string, o CreateOptions) (*created, error) {
	// The order of the first steps: everything that can be refused without a
	// trace, then the directory, which decides between two creates with one id,
	// then the record, which tells delete of all that follows.
	if err := state.CheckID(id); err != nil {
		return nil, err
	}
	b, warnings, err := bundle.Load(bundle.Place{Dir: o.Bundle, Config: o.Config})
	for _, w := range warnings {
		r.remark("%v", w)
	}
	if err != nil {
		return nil, err
	}
	r.trace("bundle read")
	if err := checkTerminal(b.Spec, o); err != nil {
		return nil, err
	}
	if err := checkOwnIDs(b.Spec); err != nil {
		return nil, err
	}
	// Nobody else sees these namespaces, and they are gone when nobody enters them.
	maker := namespaceMaker(b.Spec)
	maker.Start()
	defer maker.Close()
	group, err := cgroup.New(b.Spec, id, r.CgroupDriver)
	if err != nil {
		return nil, err
	}
	for _, w := range group.Warnings() {
		r.warn("%s", w)
	}
	if err := checkLabels(b.Spec); err != nil {
		return nil, err
	}
	class, err := intelRdt(b.Spec, id)
	if err != nil {
		return nil, err
	}
	if err := r.checkPrivileges(b.Spec); err != nil {
		return nil, err
	}
	if r.rootless() {
		left, err := group.Forgo(b.Spec)
		if err != nil {
			return nil, err
		}
		if len(left) > 0 {
			r.trace("no cgroup in " + strings.Join(left, ", "))
		}
	}
	dir, err := r.root().Create(id)
	if err != nil {
		return nil, err
	}
	r.trace("state directory made")
	n := &creation{runtime: r, options: o, bundle: b, maker: maker, group: group, class: class, dir: dir}
	n.record = &state.Record{
		ID: id, Bundle: b.Path, Rootfs: b.Rootfs, Created: time.Now().UTC().Format(time.RFC3339Nano), Owner: os.Getuid(),
		Annotations: b.Spec.Annotations, PrivatePid: privatePid(b.Spec), NoNewKeyring: o.NoNewKeyring, Cgroup: group.Saved(),
		HasProcess: b.Spec.Process != nil,
	}
	if class != nil {
		n.record.Rdt = class.Saved()
	}
	if h := b.Spec.Hooks; h != nil {
		n.record.StartHooks, n.record.Poststop = len(h.StartContainer)+len(h.Poststart) > 0, len(h.Poststop) > 0
	}
	if err := n.create(); err != nil {
		err = asShortage(n.group, "the container was set up", err)
		n.undo()
		dir.Close()
		return nil, err
	}
	return &created{&Container{runtime: r, id: id, record: n.record}, dir, n.init.Pidfd, n.conversation}, nil
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
	maker   *source.Maker
	group   *cgroup.Manager
	class   *rdt.Manager // nil without Intel RDT
	dir     *state.Dir
	record  *state.Record
	init    *launch.Init
	files   hostFiles
	hooked  bool // whether hooks have run
	devices *netdevice.Moved
	// conversation is what becomes of that with the init, see created.
	conversation *launch.Conversation
}

// direct tells whether the process may start as soon as the container is created. Hooks of
// start come before it, and the socket at which it says that it is ready; a terminal gets its
// size; and whoever waits for the pid file or the pidfd finds a container that is created.
func (n *creation) direct() bool {
	p, o := n.bundle.Spec.Process, n.options
	return o.starts && p != nil && !p.Terminal && !n.record.StartHooks &&
		n.runtime.NotifySocket == "" && o.PidFile == "" && o.PidfdSocket == ""
}

func (n *creation) create() error {
	defer n.files.closeIdle()
	defer n.files.close()
	// The record comes first. All that happens before the launch has to be quick:
	// afterwards this process would only wait.
	if err := n.dir.Save(n.record); err != nil {
		return err
	}
	if err := n.group.Claim(); err != nil {
		return err
	}
	defer n.group.Release()
	if n.class != nil {
		if err := n.class.Create(); err != nil {
			return err
		}
	}
	n.record.Cgroup = n.group.Saved()
	n.runtime.trace("state recorded")

	pidfd, err := openPidfdSocket(n.options.PidfdSocket)
	if err != nil {
		return err
	}
	defer pidfd.close()
	passOnListening(n.bundle.Spec.Process, n.options)
	if err := n.notifyMount(); err != nil {
		return err
	}
	preserved := openDescriptors(n.options.ListenFDs + n.options.PreserveFDs)
	host := n.runtime.host(n.bundle.Spec, n.group, n.options.NoPivot)
	host.Maker = n.maker
	out, err := compile.Init(compile.Input{
		Bundle: n.bundle, ID: n.record.ID, Host: host,
		NoPivot: n.options.NoPivot, NoNewKeyring: n.options.NoNewKeyring, Direct: n.direct(), Preserved: preserved,
	})
	if err != nil {
		return err
	}
	n.runtime.report(out)
	for _, list := range [][]source.Source{out.Sources, out.Later} {
		for i, s := range list {
			if t, ok := s.(source.Tree); ok {
				t.Warn = n.notice
				list[i] = t
			}
		}
	}
	n.runtime.trace("program compiled" + unknownCalls(out))
	n.record.Steps = stepsAfterGate(out)
	n.record.Listener, n.record.Mute = listenerOf(n.bundle.Spec, out), out.Mute
	defer n.runtime.holdThread()()
	if err := n.launch(out, preserved); err != nil {
		return err
	}
	defer n.init.CloseSocket()
	if !n.group.BornInside() {
		err := n.group.Create(n.init.Pid)
		n.record.Cgroup = n.group.Saved()
		if err != nil {
			// One that has ended cannot be put anywhere, and a scope without a process is
			// gone. The reason is then why it has ended.
			if failure := n.init.Failed(); failure != nil {
				return failure
			}
			return err
		}
		n.runtime.trace("cgroup made")
	}
	if err := n.dir.SaveConfig(n.bundle.Raw); err != nil {
		return err
	}
	n.runtime.trace("configuration kept")
	if err := n.follow(out); err != nil {
		return err
	}
	n.runtime.trace("container created")
	if !n.direct() {
		if err := n.dir.Created(); err != nil {
			return err
		}
	}
	if err := pidfd.send(n.init.Pidfd, pidfdOfInit); err != nil {
		return err
	}
	if n.options.PidFile != "" {
		if err := writePidFile(n.options.PidFile, n.record.Pid); err != nil {
			return err
		}
	}
	if n.devices != nil {
		n.devices.Close()
	}
	if n.direct() {
		n.conversation = n.init.TakeConversation()
	}
	return nil
}

// follow serves the init until the container is created.
func (n *creation) follow(out *compile.Output) error {
	mounts := mountHelper{spec: n.bundle.Spec, links: out.Links}
	defer mounts.close()
	sources := supply{out: out, init: n.init}
	defer sources.close()
	s := setup{init: n.init, forks: out.Forks, adopt: n.adopt}
	s.values = func(e *launch.Event) bool {
		switch {
		case e.IsValue(protocol.ValueNotice) && e.Notice() < len(out.Notices):
			n.notice(out.Notices[e.Notice()])
		case e.IsValue(protocol.ValueCopyFrom) && e.FD.Exists():
			mounts.take(e.FD.Take())
		default:
			return false
		}
		return true
	}
	s.at(protocol.PointPid, true, func() error { return nil })
	s.points[protocol.PointCgroup] = handler{false, func(*launch.Event) error {
		// They are there: they were made while the init came here.
		if err := s.init.Acknowledge(); err != nil {
			return err
		}
		// The init has much to do now, and this process has nothing.
		n.files.closeIdle()
		if s.forks {
			return nil
		}
		return s.adoptOnce()
	}}
	s.points[protocol.PointSource] = handler{false, sources.serve}
	mounts.register(&s)
	if l := n.bundle.Spec.Linux; l != nil {
		s.at(protocol.PointIDMaps, false, n.idMaps)
		s.at(protocol.PointNetDevices, true, n.netDevices)
	}
	if n.bundle.Spec.Hooks != nil {
		s.points[protocol.PointHooks] = handler{true, func(e *launch.Event) error {
			if err := n.hooks(e.FD.Int()); err != nil {
				return err
			}
			return s.init.Acknowledge()
		}}
	}
	if p := n.bundle.Spec.Process; p != nil {
		s.atReady(p, n.runtime.trace)
	}
	return s.follow(protocol.StageCreated)
}

// launch starts the init program.
func (n *creation) launch(out *compile.Output, preserved []bool) error {
	gate, terminal := -1, -1
	var err error
	if out.Gate >= 0 {
		if gate, err = n.files.listen(n.dir); err != nil {
			return err
		}
	}
	if out.Console >= 0 {
		if terminal, err = n.files.consoleSocket(n.options.ConsoleSocket, n.options.console); err != nil {
			return err
		}
	}
	files, err := n.files.layout(out, preserved, stdio{n.options.Stdin, n.options.Stdout, n.options.Stderr}, terminal, gate)
	if err != nil {
		return err
	}
	n.runtime.trace("sources opened")
	n.init, err = n.runtime.launch(&n.files, out, files, n.group.BirthDir(), interruptBy(n.options.signals), 0)
	n.runtime.trace("program launched")
	return err
}

// notice makes a remark that is due when the container is built.
func (n *creation) notice(text string) { n.runtime.remark("%s", text) }

// intelRdt decides on the place in resctrl; nil when the configuration asks for none.
func intelRdt(s *specs.Spec, id string) (*rdt.Manager, error) {
	if s.Linux == nil || s.Linux.IntelRdt == nil {
		return nil, nil
	}
	root, err := rdt.Root()
	if err != nil {
		return nil, fmt.Errorf("linux.intelRdt: %w", err)
	}
	return rdt.New(root, id, s.Linux.IntelRdt)
}

// adopt records the process as the container's. Until then it ends with this one.
func (n *creation) adopt() error {
	n.record.Pid = n.init.Pid
	start, err := state.StartTime(n.init.Pid)
	if errors.Is(err, state.ErrGone) {
		return nil // the conversation will say why
	}
	if err != nil {
		return fmt.Errorf("init process %d: %w", n.init.Pid, err)
	}
	n.record.StartTime = start
	if err := n.group.Settle(); err != nil {
		return err
	}
	if n.class != nil {
		if err := n.class.Add(n.init.Pid); err != nil {
			return err
		}
	}
	if err := n.dir.Save(n.record); err != nil {
		return err
	}
	n.runtime.trace("process recorded")
	return nil
}

// netDevices moves the network devices into the network namespace of the init.
func (n *creation) netDevices() (err error) {
	n.devices, err = netdevice.Move(n.bundle.Spec.Linux.NetDevices, n.init.Pid)
	if err == nil {
		n.runtime.trace("network devices moved")
	}
	return err
}

// idMaps gives the user namespace its mappings.
func (n *creation) idMaps() error {
	l := n.bundle.Spec.Linux
	privileged := bundle.HasCapabilities(ownCapabilities(), unix.CAP_SETUID, unix.CAP_SETGID)
	if err := idmap.Write(n.init.Pid, l.UIDMappings, l.GIDMappings, privileged); err != nil {
		return err
	}
	n.runtime.trace("ids mapped")
	return nil
}

// hooks runs the hooks that come before the pivot. root is the root of the container.
func (n *creation) hooks(root int) error {
	n.hooked = true
	hooks := n.bundle.Spec.Hooks
	h := hookRunner{runtime: n.runtime, spec: n.bundle.Spec, record: n.record, pidfd: n.init.Pidfd, root: root, interrupt: interruptBy(n.options.signals)}
	//lint:ignore SA1019 deprecated is not gone: engines still use prestart
	if err := h.run("prestart", hooks.Prestart, inRuntime, specs.StateCreating); err != nil {
		return err
	}
	if err := h.run("createRuntime", hooks.CreateRuntime, inRuntime, specs.StateCreating); err != nil {
		return err
	}
	err := h.run("createContainer", hooks.CreateContainer, inNamespaces, specs.StateCreating)
	if err == nil {
		n.runtime.trace("hooks run")
	}
	return err
}

// undo removes every trace. When it was after the first hooks, the poststop hooks run
// too (runtime.md#lifecycle, steps 3 to 5, 12 and 13).
func (n *creation) undo() {
	if n.devices != nil {
		if err := n.devices.Restore(); err != nil {
			n.runtime.warn("container %q: %v", n.record.ID, err)
		}
		n.devices.Close()
	}
	if n.init != nil {
		n.init.Kill()
		n.init.Close()
	}
	n.files.close()
	err := n.group.Undo()
	if err == nil && n.class != nil {
		err = n.class.Undo()
	}
	if err != nil {
		// The record stays, so that delete can try again.
		n.runtime.warn("container %q: %v", n.record.ID, err)
		return
	}
	if err := n.dir.Remove(); err != nil {
		n.runtime.warn("%v", err)
	}
	if n.hooked {
		n.runtime.afterStop(n.bundle.Spec, n.record)
	}
}

// afterStop runs the poststop hooks. Their failures do not count (runtime.md#lifecycle).
func (r *Runtime) afterStop(spec *specs.Spec, record *state.Record) {
	if spec == nil || spec.Hooks == nil || len(spec.Hooks.Poststop) == 0 {
		return
	}
	h := hookRunner{runtime: r, spec: spec, record: record, pidfd: -1, root: -1}
	h.runAll("poststop", spec.Hooks.Poststop, specs.StateStopped)
}

// stepsAfterGate describes the ops that run after create has returned.
func stepsAfterGate(out *compile.Output) []state.Step {
	var steps []state.Step
	for op := out.GateOp; op < out.Program.Len(); op++ {
		note := out.Program.Note(op)
		steps = append(steps, state.Step{Op: op, What: note.Subject(), Kind: stepKind(out.Program.Kind(op)), Call: out.Program.Call(op)})
	}
	return steps
}

// stepKind is the kind of an op in the record. What can fail is a system call or a check.
func stepKind(k program.Kind) state.StepKind {
	switch k {
	case program.KindExec:
		return state.StepExec
	case program.KindCheck:
		return state.StepCheck
	}
	return state.StepSyscall
}
