package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/host/idmap"
	"coracle/libcontainer/internal/host/rdt"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
	"coracle/libcontainer/internal/oci/jsonpos"
	"coracle/libcontainer/internal/state"
)

// ExecOptions are the options of exec.
type ExecOptions struct {
	// Process is what to run. [Container.ProcessTemplate] is a good start. Of these properties,
	// those that are nil or empty are taken from the container's first process: AppArmor profile,
	// SELinux label, capabilities, resource limits, oomScoreAdj, scheduler, I/O priority, CPU
	// affinity, umask.
	Process *specs.Process
	// ConsoleSocket, Terminal, PidFile, PidfdSocket, PreserveFDs, Stdin, Stdout and Stderr are as
	// in [CreateOptions], except that Terminal is called when the process has been executed.
	ConsoleSocket         string
	Terminal              func(master *os.File) error
	PidFile               string
	PidfdSocket           string
	PreserveFDs           int
	Stdin, Stdout, Stderr *os.File
	// FollowInit enters the namespaces and the root that the container's first process has gone
	// to, where it is not in those any more that the container was created with. What is there
	// may be of its choice, and otherwise it is an error.
	FollowInit bool
	// IgnorePaused starts the process in a paused container, where it waits until the container
	// is resumed.
	IgnorePaused bool
	// Cgroups are existing cgroups for the process below those of the container: PATH or, on
	// cgroup v1, CONTROLLER[,CONTROLLER]:PATH.
	Cgroups []string
}

// ProcessTemplate returns the process of the container's configuration without its command and
// terminal. Additional processes have its user, environment, capabilities and limits by default.
func (c *Container) ProcessTemplate() (_ *specs.Process, err error) {
	defer explain(&err, c.id, "exec")
	spec, err := c.spec()
	if err != nil {
		return nil, err
	}
	if spec.Process == nil {
		return &specs.Process{Cwd: "/"}, nil
	}
	p := *spec.Process
	p.Args, p.Terminal, p.ConsoleSize = nil, false, nil
	return &p, nil
}

// DecodeProcess decodes an additional process from JSON (config.md#process). Its noNewPrivileges
// defaults to the container's; see also [ExecOptions]. Errors have line, column and property.
func (c *Container) DecodeProcess(data []byte) (_ *specs.Process, err error) {
	defer explain(&err, c.id, "exec")
	spec, err := c.spec()
	if err != nil {
		return nil, err
	}
	p := new(specs.Process)
	if spec.Process != nil {
		p.NoNewPrivileges = spec.Process.NoNewPrivileges
	}
	if _, err := jsonpos.Unmarshal(data, p); err != nil {
		return nil, err
	}
	return p, nil
}

// AddCapabilities adds capabilities to an additional process. It never adds them to the
// inheritable set, because programs of other users would get them (CVE-2022-29162). A capability
// that is in the inheritable set already becomes ambient, so that a user other than root has it.
// Otherwise execve removes it for such a user, and there is a warning. Unknown names give a
// warning, too.
func (c *Container) AddCapabilities(p *specs.Process, caps []string) {
	sets := specs.LinuxCapabilities{}
	if p.Capabilities != nil {
		sets = *p.Capabilities
	}
	caps = slices.DeleteFunc(slices.Clone(caps), func(name string) bool {
		_, known := bundle.Capability(name)
		if !known {
			c.runtime.warn("exec: %q is not a capability that this runtime knows%s; it is ignored", name, meantCapability(name))
		}
		return !known
	})
	add := func(set []string) []string { return append(slices.Clone(set), caps...) }
	sets.Bounding, sets.Effective, sets.Permitted = add(sets.Bounding), add(sets.Effective), add(sets.Permitted)
	sets.Ambient = slices.Clone(sets.Ambient)
	for _, name := range caps {
		if bundle.CapabilityMask([]string{name})&bundle.CapabilityMask(sets.Inheritable) != 0 {
			sets.Ambient = append(sets.Ambient, name)
		} else if p.User.UID != 0 {
			c.runtime.warn("exec: user %d will not have the capability %s: that would take it in process.capabilities.inheritable of the container", p.User.UID, name)
		}
	}
	p.Capabilities = &sets
}

// meantCapability suggests the full name for an abbreviated one.
func meantCapability(name string) string {
	full := "CAP_" + strings.TrimPrefix(strings.ToUpper(name), "CAP_")
	if _, ok := bundle.Capability(full); !ok {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", full)
}

// spec returns the configuration that the container was created from. It never changes.
func (c *Container) spec() (*specs.Spec, error) {
	if c.config == nil {
		dir, err := c.runtime.root().Open(c.id)
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		if c.config, err = specOf(dir); err != nil {
			return nil, err
		}
	}
	return c.config, nil
}

// Exec runs an additional process in a container, and returns when it has been executed. The
// process is a child of this process, which has to wait for it.
func (c *Container) Exec(ctx context.Context, o ExecOptions) (pid int, err error) {
	defer explain(&err, c.id, "exec")
	interrupt, err := interruptOf(ctx)
	if err != nil {
		return 0, err
	}
	defer interrupt.Close()
	problems, warnings := bundle.ValidateProcess(o.Process)
	for _, w := range warnings {
		c.runtime.warn("exec: %s", w.Sentence())
	}
	if len(problems) > 0 {
		return 0, problems[0].Facts().Errorf("exec: %s", problems[0].Sentence())
	}
	switch {
	case o.Process.Terminal && o.ConsoleSocket == "" && o.Terminal == nil:
		return 0, fault.TerminalMismatch.Errorf("cannot allocate tty if coracle will detach without setting console socket")
	case o.ConsoleSocket != "" && (!o.Process.Terminal || o.Terminal != nil):
		return 0, fault.TerminalMismatch.Errorf("cannot use console socket if coracle will not detach or allocate tty")
	}
	x := &execution{container: c, options: o, interrupt: interrupt, terminal: terminal{path: o.ConsoleSocket, take: o.Terminal}}
	defer x.close()
	if err := x.start(); err != nil {
		return 0, err
	}
	return x.init.Pid, nil
}

// execution is a process on its way into a container.
type execution struct {
	container *Container
	options   ExecOptions
	interrupt *linux.Interrupt
	process   linux.Process // whose namespaces are joined
	init      *launch.Init
	files     hostFiles
	terminal  terminal
}

func (x *execution) close() {
	x.files.close()
	x.files.closeIdle()
	x.terminal.close()
	if x.init != nil {
		x.init.Close()
	}
}

// start returns when the process has been executed.
func (x *execution) start() error {
	err := x.execute()
	if x.init != nil {
		x.init.CloseSocket()
	}
	if err == nil {
		x.container.runtime.trace("process executed")
		return nil
	}
	var alive error
	if x.init != nil {
		alive = x.init.KillWithin(x.patienceForEnd(err))
	}
	err = x.explain(err)
	if alive != nil {
		// Users of the library have to wait for it, since it is their child.
		x.container.runtime.warn("exec in container %q: process %d has been killed, and has not ended", x.container.id, x.init.Pid)
		err = fmt.Errorf("%w; %w", err, alive)
	}
	return err
}

// patienceForEnd is how long the process may take to end after a failure. In a frozen cgroup it
// ends only after a thaw, which a caller who has cancelled does not wait for.
func (x *execution) patienceForEnd(err error) time.Duration {
	if errors.Is(err, ErrInterrupted) {
		return time.Second
	}
	return killTimeout
}

// explain gives the end of the container, or a lack of memory, as the reason of a failure if that
// was the cause.
func (x *execution) explain(err error) error {
	c := x.container
	var death *launch.DeathError
	if errors.As(err, &death) && death.Killed() {
		// A command that kills all processes of a container may have killed this one first.
		for i := 0; i < 20 && !c.record.Ending(); i++ {
			if x.interrupt.Sleep(5*time.Millisecond) != nil {
				break
			}
		}
	}
	if failure := c.orNotRunning(err); errors.Is(failure, ErrNotRunning) {
		return failure
	}
	if errors.Is(err, launch.ErrSilent) {
		return fmt.Errorf("exec in container %q: %w", c.id, err)
	}
	if x.init == nil {
		return err
	}
	err = asShortage(cgroup.Load(c.record.Cgroup), "a process was put into the container", err)
	if death != nil && err == error(death) {
		return fault.InitDied.Errorf("exec in container %q: the process %s before it had executed its command", c.id, death.How())
	}
	return err
}

// execute creates the process. Without an error, the process has executed its command.
func (x *execution) execute() error {
	c := x.container
	pidfd, root, err := x.openContainer()
	if err != nil {
		return err
	}
	record := c.record
	config, err := c.spec()
	if err != nil {
		return err
	}
	spec := *asSeenFrom(config, record.Pid)
	spec.Process = bundle.Inherit(x.options.Process, config.Process)
	if err := checkLabels(&spec); err != nil {
		return err
	}
	if l := spec.Linux; l != nil && len(l.UIDMappings) > 0 && len(l.GIDMappings) > 0 {
		problems := bundle.UnmappedUser(spec.Process, l.UIDMappings, l.GIDMappings, "by linux.uidMappings", "by linux.gidMappings")
		if len(problems) > 0 {
			return problems[0].Facts().Errorf("exec: %s", problems[0].Sentence())
		}
	}
	group := cgroup.Load(record.Cgroup)
	place, err := group.Place(x.options.Cgroups, record.Pid)
	if err != nil {
		return fault.CgroupUnavailable.Errorf("exec: cgroup: %w", err)
	}
	pidfdSocket, err := openPidfdSocket(x.options.PidfdSocket, x.interrupt)
	if err != nil {
		return err
	}
	defer pidfdSocket.close()
	preserved := openDescriptors(x.options.PreserveFDs)
	h := c.runtime.host(&spec, nil, false)
	h.CgroupJoin, h.CgroupCount, h.CgroupBirth = place.Join, place.Count, place.Birth
	h.Mappings = func() (uids, gids bundle.IDMap) {
		uids, gids, err := idmap.Of(record.Process())
		// The files are valid if the process still was the container's first one after they were
		// opened.
		if alive, aliveErr := record.Alive(); err != nil || aliveErr != nil || !alive {
			return nil, nil
		}
		return uids, gids
	}
	mount := uint64(0)
	if record.Place != nil {
		mount = record.Place.Root.Mount
	}
	out, err := compile.Exec(compile.ExecInput{
		Spec: &spec, ID: c.id, Host: h, NoNewKeyring: record.NoNewKeyring, Keyring: record.Keyring,
		Preserved: preserved, Pidfd: pidfd, Root: root, RootMount: mount,
		Exposed: exposed(config, record),
	})
	if err != nil {
		return err
	}
	c.runtime.report(out)
	c.runtime.trace("program compiled" + unknownCalls(out))
	if out.TakesTwo && place.Crowded() {
		out.Program.Preset(out.Outside, 1)
	}
	defer c.runtime.holdThread()()
	if err := x.launch(out, preserved); err != nil {
		return err
	}
	s := setup{init: x.init, interrupt: x.interrupt, forks: out.Forks}
	if out.ForksLast {
		s.last = 1
	}
	if compile.SchedulesLast(spec.Process) {
		s.pid = func() error { return setScheduler(x.init.Pid, spec.Process.Scheduler) }
	}
	// The process has joined the first process's namespaces. A process that has left a namespace
	// of the container, without privileges over it, cannot come back.
	s.atReady(spec.Process, c.runtime.trace, x.checkNamespaces)
	s.values = func(e *launch.Event) bool {
		known := e.IsValue(protocol.ValueNotice) && e.Notice() < len(out.Notices)
		if known {
			c.runtime.warn("%s", out.Notices[e.Notice()])
		}
		return known
	}
	if record.Rdt != nil {
		s.adopt = func(bool) error { return rdt.Load(*record.Rdt).Add(x.init.Pid) }
	}
	if l := listenerOf(&spec, out); l != nil {
		s.listener = func(fd int) error { return handOver(l, record, x.init.Pid, specs.StateRunning, fd, x.interrupt) }
	}
	err = s.follow(protocol.StageStarted)
	if err == nil {
		c.runtime.trace("execve announced")
		if err = x.init.Executed(); out.Mute {
			err = explainMute(err)
		}
	}
	if err == nil {
		err = pidfdSocket.send(x.init.Pidfd, pidfdOfExec)
	}
	if err == nil {
		// Otherwise the caller could neither see the process nor wait for it.
		err = x.terminal.handOver()
	}
	if err == nil && x.options.PidFile != "" {
		err = writePidFile(x.options.PidFile, x.init.Pid)
	}
	return err
}

// exposed reports whether a process in the pid namespace of a container may be able to look into
// any other there: who has CAP_SYS_PTRACE in the user namespace of the runtime can. Others may be
// in a namespace that is not the container's alone.
func exposed(s *specs.Spec, record *state.Record) bool {
	switch {
	case !record.PrivatePid:
		return true
	case oci.Namespace(s, specs.UserNamespace) != nil, s.Process == nil:
		return false
	}
	caps := bundle.CapabilitiesOf(s.Process.Capabilities)
	return bundle.HasCapabilities(caps.Bounding|caps.Permitted|caps.Ambient, unix.CAP_SYS_PTRACE)
}

// openContainer pins the container: its first process, and the root directory of that process.
func (x *execution) openContainer() (pidfd, root int, err error) {
	c := x.container
	dir, err := c.runtime.root().Open(c.id)
	if err != nil {
		return -1, -1, err
	}
	defer dir.Close()
	record, err := dir.Load()
	if err != nil {
		return -1, -1, err
	}
	c.record = record
	s, err := status(dir, record, false)
	if err != nil {
		return -1, -1, err
	}
	switch {
	case s == specs.StateStopped:
		return -1, -1, fmt.Errorf("cannot exec in a stopped container: %q: %w", c.id, ErrNotRunning)
	case s == StatusPaused && !x.options.IgnorePaused:
		return -1, -1, fault.Paused.Errorf("cannot exec in a paused container")
	case s == specs.StateCreating:
		return -1, -1, fault.WrongStatus.Errorf("cannot exec in a container that is being created")
	}
	pidfd, process, err := record.OpenLiving()
	if err != nil {
		return -1, -1, c.notRunning(err)
	}
	x.process = process
	x.files.keep(pidfd)
	if root, err = x.files.open(process.Path("root"), unix.O_PATH|unix.O_DIRECTORY, "root of the container"); err != nil {
		return -1, -1, err
	}
	// Check that it was still the same process when the path was looked up.
	if alive, err := record.Alive(); err != nil || !alive {
		return -1, -1, c.notRunning(err)
	}
	// What the ids of the host are will be asked of its user namespace.
	if err := x.checkNamespaces(); err != nil {
		return -1, -1, err
	}
	root, err = x.checkRoot(root)
	return pidfd, root, err
}

// errLeft means that the first process has gone from where the container was created.
func (x *execution) errLeft(what string) error {
	return fault.ContainerLeft.Errorf("exec in container %q: its first process has left the %s that the container was created with", x.container.id, what)
}

// checkNamespaces checks that the first process is in the namespaces that the container was
// created with. A container of an older version has no record of them.
//
// Attacker: the first process of the container. Without any privileges it can make a user
// namespace, and in that a mount namespace with programs of its choice, which the process
// would run with its own privileges.
func (x *execution) checkNamespaces() error {
	record := x.container.record
	if record.Place == nil || x.options.FollowInit {
		return nil
	}
	left, err := record.Place.Left(x.process)
	if errors.Is(err, state.ErrGone) {
		return x.container.notRunning(err)
	}
	if err != nil {
		return fmt.Errorf("exec in container %q: look where its first process is: %w", x.container.id, err)
	}
	if len(left) > 0 {
		return x.errLeft("namespaces (" + strings.Join(left, ", ") + ")")
	}
	return nil
}

// checkRoot checks that a root directory is the one that the container was created with. It
// returns -1 where the first process has another one, and that of the mount namespace may be
// it.
func (x *execution) checkRoot(root int) (int, error) {
	place := x.container.record.Place
	if place == nil || x.options.FollowInit {
		return root, nil
	}
	now, err := state.RootOf(root)
	switch {
	case err != nil:
		return -1, fmt.Errorf("root of the container: %w", err)
	case now == place.Root:
		return root, nil
	}
	if _, ok := place.Namespaces[oci.NamespaceFile(specs.MountNamespace)]; ok && place.Root.Unique {
		return -1, nil
	}
	return -1, x.errLeft("root")
}

// placeNames returns the namespaces, by name in /proc/PID/ns, that a first process can leave and
// that exec enters. A process cannot leave its pid namespace, and what else it may do depends on
// its user namespace, even if that is the host's.
func placeNames(spec *specs.Spec) []string {
	names := []string{oci.NamespaceFile(specs.UserNamespace)}
	if spec.Linux == nil {
		return names
	}
	for _, ns := range spec.Linux.Namespaces {
		switch ns.Type {
		case specs.UserNamespace, specs.PIDNamespace, specs.TimeNamespace:
		default:
			names = append(names, oci.NamespaceFile(ns.Type))
		}
	}
	return names
}

func (x *execution) launch(out *compile.Output, preserved []bool) error {
	terminal := -1
	var err error
	if out.Console >= 0 {
		if terminal, err = x.terminal.open(&x.files, x.interrupt); err != nil {
			return err
		}
	}
	streams := stdio{x.options.Stdin, x.options.Stdout, x.options.Stderr}
	files, err := x.files.layout(out, preserved, streams, terminal, -1)
	if err != nil {
		return err
	}
	wait := waiting{interrupt: x.interrupt, outside: mayFreeze(x.container.config)}
	if x.options.IgnorePaused {
		wait.extend, wait.outside = x.paused, wait.outside || x.paused()
	}
	x.init, err = x.container.runtime.launch(&x.files, out, files, out.Birth, wait)
	return err
}

// mayFreeze reports whether a container may write to its cgroups, and so freeze what is in them.
func mayFreeze(s *specs.Spec) bool {
	return slices.ContainsFunc(s.Mounts, func(m specs.Mount) bool {
		return (m.Type == "cgroup" || m.Type == "cgroup2") && !slices.Contains(m.Options, "ro")
	})
}

// paused reports whether the container is paused, for which the caller wants to wait.
func (x *execution) paused() bool {
	frozen, err := cgroup.Load(x.container.record.Cgroup).Frozen()
	return err == nil && frozen
}
