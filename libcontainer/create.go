package libcontainer

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/host/idmap"
	"coracle/libcontainer/internal/host/netdevice"
	"coracle/libcontainer/internal/host/rdt"
	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
	"coracle/libcontainer/internal/state"
)

// CreateOptions are the options of create that are not in the bundle.
type CreateOptions struct {
	// Bundle is the directory of the bundle, "." when empty.
	Bundle string
	// Config is the path of the configuration, config.json in the bundle when empty. Paths in the
	// configuration are always relative to the bundle.
	Config string
	// ConsoleSocket is the path of a socket that receives the master of the terminal.
	// ConsoleSocket or Terminal is required when the configuration has process.terminal, and
	// refused otherwise.
	ConsoleSocket string
	// Terminal, when not nil, is called with the master of the terminal before the process is
	// executed, instead of using ConsoleSocket. It owns the file.
	Terminal func(master *os.File) error
	// Notify gives the process a readiness socket, see [Container.StartNotify].
	Notify bool
	// PidFile is written when the container has been created. It has the pid in digits and
	// nothing else.
	PidFile string
	// PidfdSocket is the path of a socket that receives a pidfd of the process when the container
	// has been created.
	PidfdSocket string
	// NoPivot moves the root instead of using pivot_root(2), for hosts on a ramdisk.
	NoPivot bool
	// NoNewKeyring keeps the session keyring of the caller.
	NoNewKeyring bool
	// PreserveFDs is the number of descriptors from 3 on that the process inherits.
	// Closed ones are skipped.
	PreserveFDs int
	// ListenFDs is the number of descriptors, from 3 on, that a service manager has passed on.
	// The process gets them, their number and their names (sd_listen_fds(3)). The PreserveFDs
	// follow them.
	ListenFDs     int
	ListenFDNames string
	// Stdin, Stdout and Stderr are the standard streams of a process without a terminal; nil for
	// those of the caller.
	Stdin, Stdout, Stderr *os.File

	// starts reports whether the caller starts the container at once.
	starts bool
}

// Create creates a container. Its process waits for [Container.Start]. When Create fails, nothing
// is left behind.
func (r *Runtime) Create(ctx context.Context, id string, o CreateOptions) (_ *Container, err error) {
	defer explain(&err, id, "create")
	interrupt, err := interruptOf(ctx)
	if err != nil {
		return nil, err
	}
	defer interrupt.Close()
	c, err := r.create(id, o, interrupt)
	if err != nil {
		return nil, err
	}
	c.close()
	return c.container, nil
}

// handle is a locked container that has just been created or is being started.
type handle struct {
	container *Container
	dir       *state.Dir
	pidfd     int
	// conversation is the connection to the init until the container has been started; nil when
	// start has to open the gate.
	conversation *launch.Conversation
	// interrupt ends the start.
	interrupt *linux.Interrupt
}

// unlock lets other commands work on the container.
func (h *handle) unlock() {
	h.dir.Close()
	if h.conversation != nil {
		h.conversation.Close()
		h.conversation = nil
	}
}

// close unlocks the container and closes the descriptors of its process.
func (h *handle) close() {
	h.unlock()
	unix.Close(h.pidfd)
}

// create creates a container in phases. The phases have the same names in docs/design.md and in
// the trace.
func (r *Runtime) create(id string, o CreateOptions, interrupt *linux.Interrupt) (*handle, error) {
	n := &creator{runtime: r, id: id, options: o, interrupt: interrupt, terminal: terminal{path: o.ConsoleSocket, take: o.Terminal}}
	defer n.close()
	// An error before the directory exists leaves no trace.
	if err := n.phases(phase{"prepare", n.prepare}, phase{"reserve", n.reserve}); err != nil {
		return nil, err
	}
	err := n.phases(
		phase{"claim", n.claim}, phase{"compile", n.compile}, phase{"launch", n.launch},
		phase{"follow", n.follow}, phase{"publish", n.publish},
	)
	if err != nil {
		n.close()
		if errors.Is(err, launch.ErrSilent) {
			err = fmt.Errorf("the init process of container %q: %w", id, err)
		}
		err = asShortage(n.group, "the container was set up", err)
		if lost := n.restoreDevices(); lost != nil {
			err = fmt.Errorf("%w; %w", err, lost)
		}
		n.undo()
		n.dir.Close()
		return nil, err
	}
	return &handle{&Container{runtime: r, id: id, record: n.record}, n.dir, n.init.Pidfd, n.conversation, interrupt}, nil
}

// phase is a named part of a creation.
type phase struct {
	name string
	do   func() error
}

// phases runs one phase after the other, and stops at an error.
func (n *creator) phases(list ...phase) error {
	for _, p := range list {
		if err := p.do(); err != nil {
			return fault.With(err, fault.Facts{Phase: p.name})
		}
		n.runtime.trace(p.name)
	}
	return nil
}

// creator creates a container.
type creator struct {
	runtime *Runtime
	id      string
	options CreateOptions
	// interrupt ends the creation, which then leaves nothing behind.
	interrupt *linux.Interrupt
	bundle    *bundle.Bundle
	maker     *source.Maker
	group     *cgroup.Manager
	class     *rdt.Manager // nil without Intel RDT
	dir       *state.Dir
	record    *state.Record
	pidfd     *pidfdSocket
	out       *compile.Output
	// preserved reports which descriptors the process inherits, see openDescriptors.
	preserved []bool
	init      *launch.Init
	files     hostFiles
	terminal  terminal
	hooked    bool // hooks have run
	devices   *netdevice.Moved
	// conversation is the connection to the init after the creation, see handle.
	conversation *launch.Conversation
	// release are functions to call at the end of the creation, the last one first.
	release []func()
}

// later registers a function to call at the end of the creation, whether it succeeds or not.
func (n *creator) later(f func()) { n.release = append(n.release, f) }

// close releases what only the creation needed.
func (n *creator) close() {
	for i := len(n.release) - 1; i >= 0; i-- {
		n.release[i]()
	}
	n.release = nil
}

// prepare reads the bundle and makes the decisions. Everything that can be refused without a
// trace is refused here.
func (n *creator) prepare() error {
	r, o := n.runtime, n.options
	if err := state.CheckID(n.id); err != nil {
		return err
	}
	b, warnings, err := bundle.Load(bundle.Place{Dir: o.Bundle, Config: o.Config, Interrupt: n.interrupt})
	for _, w := range warnings {
		r.remark("%v", w)
	}
	if err != nil {
		return err
	}
	n.bundle = b
	r.trace("bundle read")
	if err := checkTerminal(b.Spec, o); err != nil {
		return err
	}
	if err := checkOwnIDs(b.Spec); err != nil {
		return err
	}
	// No other process sees these namespaces, and they disappear if the init does not enter them.
	n.maker = namespaceMaker(b.Spec)
	n.maker.Start()
	n.later(n.maker.Close)
	if n.group, err = cgroup.New(b.Spec, n.id, r.CgroupDriver); err != nil {
		return err
	}
	n.group.Interrupt = n.interrupt
	for _, w := range n.group.Warnings() {
		r.warn("%s", w)
	}
	if err := checkLabels(b.Spec); err != nil {
		return err
	}
	if n.class, err = intelRdt(b.Spec, n.id); err != nil {
		return err
	}
	if err := r.checkPrivileges(b.Spec); err != nil {
		return err
	}
	if r.rootless() {
		left, err := n.group.Forgo(b.Spec)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			r.trace("no cgroup in " + strings.Join(left, ", "))
		}
	}
	return nil
}

// reserve makes the state directory, which decides between two creates with one id. The record is
// written before anything else happens, so that delete knows about everything that follows.
func (n *creator) reserve() (err error) {
	b := n.bundle
	if n.dir, err = n.runtime.root().Create(n.id); err != nil {
		return err
	}
	n.runtime.trace("state directory made")
	n.record = &state.Record{
		ID: n.id, Bundle: b.Path, Rootfs: b.Rootfs, Created: time.Now().UTC().Format(time.RFC3339Nano), Owner: os.Getuid(),
		Annotations: b.Spec.Annotations, PrivatePid: privatePid(b.Spec), NoNewKeyring: n.options.NoNewKeyring, Cgroup: n.group.Saved(),
		HasProcess: b.Spec.Process != nil,
	}
	if n.class != nil {
		n.record.Rdt = n.class.Saved()
	}
	if h := b.Spec.Hooks; h != nil {
		n.record.StartHooks, n.record.Poststop = len(h.StartContainer)+len(h.Poststart) > 0, len(h.Poststop) > 0
	}
	return nil
}

// newKeyringName returns a name that no other process can guess.
func newKeyringName(id string) (string, error) {
	var random [8]byte
	if _, err := unix.Getrandom(random[:], 0); err != nil {
		return "", fmt.Errorf("name the session keyring: %w", os.NewSyscallError("getrandom", err))
	}
	return compile.KeyringName(id, hex.EncodeToString(random[:])), nil
}

// privatePid reports whether the container has a new pid namespace, whose processes all die with
// the first one.
func privatePid(s *specs.Spec) bool {
	return oci.HasNew(s, specs.PIDNamespace)
}

func checkTerminal(s *specs.Spec, o CreateOptions) error {
	terminal := s.Process != nil && s.Process.Terminal
	switch {
	case terminal && o.ConsoleSocket == "" && o.Terminal == nil:
		return fault.Facts{Code: fault.TerminalMismatch, Property: "process.terminal"}.Errorf("cannot allocate tty if coracle will detach without setting console socket (process.terminal is true)")
	case !terminal && o.ConsoleSocket != "":
		return fault.Facts{Code: fault.TerminalMismatch, Property: "process.terminal"}.Errorf("cannot use console socket if coracle will not detach or allocate tty (process.terminal is false)")
	}
	return nil
}

// direct reports whether the process may start as soon as the container is created. It has to
// wait if there are hooks to run before the start, a readiness socket to open, a terminal to
// resize, or a pid file or pidfd whose reader expects a created container.
func (n *creator) direct() bool {
	p, o := n.bundle.Spec.Process, n.options
	return o.starts && p != nil && !p.Terminal && !n.record.StartHooks &&
		!o.Notify && o.PidFile == "" && o.PidfdSocket == ""
}

// claim records the container and takes its cgroup, which has to be empty. No other creation can
// take the cgroup until a process is in it. After the launch this process waits most of the time,
// so everything before it has to be quick.
func (n *creator) claim() (err error) {
	if !n.options.NoNewKeyring {
		if n.record.Keyring, err = newKeyringName(n.id); err != nil {
			return err
		}
	}
	if err := n.dir.Save(n.record); err != nil {
		return err
	}
	if err := n.group.Claim(); err != nil {
		return err
	}
	n.later(n.group.Release)
	if n.class != nil {
		if err := n.class.Create(); err != nil {
			return err
		}
	}
	n.record.Cgroup = n.group.Saved()
	return nil
}

// compile compiles the program.
func (n *creator) compile() (err error) {
	if n.pidfd, err = openPidfdSocket(n.options.PidfdSocket, n.interrupt); err != nil {
		return err
	}
	n.later(n.pidfd.close)
	passOnListening(n.bundle.Spec.Process, n.options)
	if err := n.notifyMount(); err != nil {
		return err
	}
	n.preserved = openDescriptors(n.options.ListenFDs + n.options.PreserveFDs)
	host := n.runtime.host(n.bundle.Spec, n.group, n.options.NoPivot)
	host.Maker = n.maker
	out, err := compile.Init(compile.Input{
		Bundle: n.bundle, ID: n.record.ID, Host: host,
		NoPivot: n.options.NoPivot, NoNewKeyring: n.options.NoNewKeyring, Keyring: n.record.Keyring, Direct: n.direct(), Preserved: n.preserved,
	})
	if err != nil {
		return err
	}
	n.out = out
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
	return nil
}

// follow creates the cgroup, unless the init started in it, and serves the init until the
// container is created.
func (n *creator) follow() error {
	out := n.out
	if !n.group.BornInside() {
		err := n.group.Create(n.init.Pid)
		n.record.Cgroup = n.group.Saved()
		if err != nil {
			// An init that has ended cannot be put into a cgroup, and a scope without a process
			// is removed. Report why the init ended instead.
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
	mounts := mountHelper{spec: n.bundle.Spec, links: out.Links, places: out.Places}
	defer mounts.close()
	sources := supply{out: out, init: n.init}
	defer sources.close()
	s := setup{init: n.init, interrupt: n.interrupt, forks: out.Forks, adopt: n.adopt}
	if out.ForksLast {
		s.last = 1
	}
	if p := n.bundle.Spec.Process; out.ForksLast && compile.SchedulesLast(p) {
		s.pid = func() error { return setScheduler(n.init.Pid, p.Scheduler) }
	}
	s.values = func(e *launch.Event) bool {
		switch {
		case e.IsValue(protocol.ValueNotice) && e.Notice() < len(out.Notices):
			n.notice(out.Notices[e.Notice()])
		case e.IsValue(protocol.ValueCopyFrom) && e.FD.Exists():
			mounts.take(e.FD.Take())
		case e.IsValue(protocol.ValueMount):
			return mounts.tell(e)
		default:
			return false
		}
		return true
	}
	s.points[protocol.PointCgroup] = handler{false, func(*launch.Event) error {
		// The cgroups exist: they were created while the init was on its way here.
		if err := s.init.Acknowledge(); err != nil {
			return err
		}
		// While the init works, this process has nothing else to do.
		n.files.closeIdle()
		if s.forks > 0 {
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
		s.atReady(p, n.runtime.trace, n.place)
	}
	if err := s.follow(protocol.StageCreated); err != nil || n.record.Place == nil {
		return err
	}
	return n.dir.Save(n.record)
}

// place records the namespaces and the root of the init, before anything of the image runs. exec
// compares them with those that the init has then.
func (n *creator) place() (err error) {
	n.record.Place, err = state.PlaceOf(linux.PID(n.init.Pid), placeNames(n.bundle.Spec))
	if errors.Is(err, state.ErrGone) || errors.Is(err, os.ErrPermission) {
		// The conversation reports the reason. A user who may not look at the init now cannot
		// exec either.
		n.record.Place, err = nil, nil
	}
	return err
}

// publish marks the container as created.
func (n *creator) publish() error {
	if err := n.terminal.handOver(); err != nil {
		return err
	}
	if !n.direct() {
		if err := n.dir.Created(); err != nil {
			return err
		}
	}
	if err := n.pidfd.send(n.init.Pidfd, pidfdOfInit); err != nil {
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

// launch starts the program.
func (n *creator) launch() (err error) {
	out := n.out
	n.later(n.runtime.holdThread())
	n.later(n.files.closeIdle)
	n.later(n.files.close)
	gate, terminal := -1, -1
	if out.Gate >= 0 {
		if gate, err = n.files.listen(n.dir); err != nil {
			return err
		}
	}
	if out.Console >= 0 {
		n.later(n.terminal.close)
		if terminal, err = n.terminal.open(&n.files, n.interrupt); err != nil {
			return err
		}
	}
	files, err := n.files.layout(out, n.preserved, stdio{n.options.Stdin, n.options.Stdout, n.options.Stderr}, terminal, gate)
	if err != nil {
		return err
	}
	n.runtime.trace("sources opened")
	n.init, err = n.runtime.launch(&n.files, out, files, n.group.BirthDir(), n.patience())
	if err == nil {
		n.later(n.init.CloseSocket)
	}
	return err
}

// buildPatience limits the time for building a container when no process of a container can hold
// up the init. It is long, because network file systems may be slow.
const buildPatience = 2 * time.Minute

// patience returns what ends the wait for the init.
//
// Attacker: a process in the pid namespace that the init joins, which stops it.
func (n *creator) patience() waiting {
	w := waiting{interrupt: n.interrupt, patience: launch.DefaultPatience}
	if n.record.PrivatePid {
		w.patience = buildPatience
	}
	return w
}

// notice reports a remark that is known only when the container is built.
func (n *creator) notice(text string) { n.runtime.remark("%s", text) }

// intelRdt chooses the groups in resctrl; nil when the configuration has no linux.intelRdt.
func intelRdt(s *specs.Spec, id string) (*rdt.Manager, error) {
	if s.Linux == nil || s.Linux.IntelRdt == nil {
		return nil, nil
	}
	root, err := rdt.Root()
	if err != nil {
		return nil, fault.About("linux.intelRdt", "linux.intelRdt: %w", err)
	}
	return rdt.New(root, id, s.Linux.IntelRdt)
}

// adopt records the process as the container's. Until then the process ends with this one.
//
// If the init continues in a child later, its parent is recorded for the hooks, and the limits
// are set for the child.
func (n *creator) adopt(final bool) error {
	n.record.Pid = n.init.Pid
	start, err := state.StartTime(n.init.Pid)
	if errors.Is(err, state.ErrGone) {
		return nil // the init reports why
	}
	if err != nil {
		return fmt.Errorf("init process %d: %w", n.init.Pid, err)
	}
	n.record.StartTime = start
	if final {
		if err := n.group.Settle(); err != nil {
			return err
		}
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
func (n *creator) netDevices() (err error) {
	n.devices, err = netdevice.Move(n.bundle.Spec.Linux.NetDevices, n.init.Pid)
	if err == nil {
		n.runtime.trace("network devices moved")
	}
	return err
}

// restoreDevices moves the network devices back to the host. The error is about those that are
// missing on the host.
func (n *creator) restoreDevices() error {
	if n.devices == nil {
		return nil
	}
	defer n.devices.Close()
	return n.devices.Restore()
}

// idMaps writes the mappings of the user namespace.
func (n *creator) idMaps() error {
	l := n.bundle.Spec.Linux
	privileged := bundle.HasCapabilities(ownCapabilities(), unix.CAP_SETUID, unix.CAP_SETGID)
	if err := idmap.Write(n.init.Pid, l.UIDMappings, l.GIDMappings, privileged, n.interrupt); err != nil {
		return err
	}
	n.runtime.trace("ids mapped")
	return nil
}

// hooks runs the hooks that come before the pivot. root is the root of the container.
func (n *creator) hooks(root int) error {
	n.hooked = true
	hooks := n.bundle.Spec.Hooks
	h := hookRunner{runtime: n.runtime, spec: n.bundle.Spec, record: n.record, pidfd: n.init.Pidfd, root: root, interrupt: n.interrupt}
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

// undo removes every trace. If hooks had run, the poststop hooks run, too (runtime.md#lifecycle,
// steps 3 to 5, 12 and 13).
func (n *creator) undo() {
	// An interrupt must not stop the clean-up.
	n.group.Interrupt = nil
	if n.init != nil {
		alive := n.init.Kill()
		n.init.Close()
		if alive != nil {
			// The record stays, so that delete can try again.
			n.runtime.warn("container %q: init: %v", n.record.ID, alive)
			return
		}
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
		n.runtime.afterStop(n.bundle.Spec, n.record, nil)
	}
}

// afterStop runs the poststop hooks. Their failures are only warnings (runtime.md#lifecycle).
func (r *Runtime) afterStop(spec *specs.Spec, record *state.Record, interrupt *linux.Interrupt) {
	if spec == nil || spec.Hooks == nil || len(spec.Hooks.Poststop) == 0 {
		return
	}
	h := hookRunner{runtime: r, spec: spec, record: record, pidfd: -1, root: -1, interrupt: interrupt}
	h.runAll("poststop", spec.Hooks.Poststop, specs.StateStopped)
}

// stepsAfterGate describes the ops that run after create has returned.
func stepsAfterGate(out *compile.Output) []state.Step {
	var steps []state.Step
	for op := out.GateOp; op < out.Program.Len(); op++ {
		note := out.Program.Note(op)
		steps = append(steps, state.Step{Op: op, What: note.Subject(), Kind: stepKind(out.Program.Kind(op)), Call: out.Program.Call(op), Property: note.Where(), Path: note.ContainerPath()})
	}
	return steps
}

// stepKind returns the kind of an op for the record. Only system calls and checks can fail.
func stepKind(k program.Kind) state.StepKind {
	switch k {
	case program.KindExec:
		return state.StepExec
	case program.KindCheck:
		return state.StepCheck
	}
	return state.StepSyscall
}
