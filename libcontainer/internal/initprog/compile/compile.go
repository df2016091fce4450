// Package compile turns the configuration of a container into the init program
// that builds it from the inside.
//
// [Init] is the whole story in order; each of its steps is a file or two of this package. The
// order matters, and comments say why a step stands where it does. A step without such a comment
// could stand elsewhere.
//
// Compiling has no side effects and needs no privileges. Knowledge about the host is the input
// [Host], and what has to be opened on the host is the output Sources. So anybody can print a
// program, and tests can compare it.
//
// Threat model: the root file system and the processes of other containers are hostile and may
// change any path below the rootfs at any time. So the kernel resolves every path in the
// container below a pinned root and does not leave it, special file systems are mounted only on
// real directories, and trusted inodes are checked against constants.
package compile

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/initprog/seccomp"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// Host is what compiling needs to know about the host.
type Host struct {
	// LastCap is the highest capability of the kernel.
	LastCap int
	// UID is the user id of the runtime.
	UID int
	// Capabilities are the capabilities that the runtime has and can pass on.
	Capabilities uint64
	// Look examines the source of a bind mount.
	Look func(path string) (Found, error)
	// Readlink returns the target of a bind mount's source that is a symbolic link; it is empty
	// for anything else. It may be nil.
	Readlink func(path string) (string, error)
	// Follow follows the symbolic links of a path until it enters the rootfs, and returns the
	// rest of the path. ok is false when the path does not enter the rootfs. It may be nil.
	Follow func(path, rootfs string) (rel string, ok bool)
	// OpenFiles returns how many files the runtime may open. It may be nil.
	OpenFiles func() uint64
	// Real resolves symbolic links as far as the path exists. It may be nil.
	Real func(path string) string
	// ProcMounts are the mount points of procfs and sysfs, needed for NoPivot.
	ProcMounts []string
	// Cgroups are the hierarchies that a mount of type cgroup shows.
	Cgroups []Hierarchy
	// ProcOfOthers reports whether the kernel makes a procfs for a pid namespace that its maker is
	// not in. It may be nil.
	ProcOfOthers func() bool
	// Shared reports whether a namespace that is joined by path is the runtime's own. It
	// may be nil.
	Shared func(path string, ns specs.LinuxNamespaceType) bool
	// NodePath finds a device of the host, preferably at the given path. It may be nil.
	NodePath func(path string, n source.Node) (found string, ok bool)
	// Mappings returns the mappings of the user namespace that is joined. They are empty when
	// they are unknown. It may be nil.
	Mappings func() (uids, gids bundle.IDMap)
	// TimerSlack, in nanoseconds, is set when it is not 0.
	TimerSlack int
	// Nested reports whether the runtime itself is in a user namespace, where no process can
	// create devices.
	Nested bool
	// OpensNothing reports whether the runtime cannot copy trees of the host, because it has no
	// privileges over its mount namespace. Then the program does it, in its own namespace.
	OpensNothing bool
	// Maker creates new namespaces outside of the program, which enters them. It may be nil.
	Maker *source.Maker
	// CgroupJoin are the files through which the init enters its cgroups by writing "0", after
	// protocol.PointCgroup. It is empty when the init starts in them.
	CgroupJoin []string
	// CgroupWait reports whether the runtime moves the init into its cgroups before
	// protocol.PointCgroup.
	CgroupWait bool
	// CgroupCount is the one of CgroupJoin whose hierarchy only counts processes, if there is one.
	CgroupCount string
	// CgroupBirth is the directory in the unified hierarchy in which a process that joins a
	// container starts; empty for the runtime's cgroup.
	CgroupBirth string
}

// can reports whether the runtime has all these capabilities.
func (h *Host) can(capabilities ...int) bool {
	return bundle.HasCapabilities(h.Capabilities, capabilities...)
}

// Hierarchy is a mounted cgroup hierarchy of the host.
type Hierarchy struct {
	// Name is the directory in /sys/fs/cgroup: "memory", "cpu,cpuacct", "systemd".
	// The unified hierarchy of a host without others has an empty name.
	Name string
	// Options are the mount options that select it: "memory"; "none", "name=systemd".
	Options []string
	// Path is the directory of the container's cgroup on the host.
	Path string
}

// Input is what a program is compiled from.
type Input struct {
	Bundle       *bundle.Bundle
	ID           string
	Host         Host
	NoPivot      bool
	NoNewKeyring bool
	// Keyring is the name of the session keyring; empty for the name that older versions use.
	Keyring string
	// Direct reports whether the process starts as soon as the container is created: there is no
	// gate, and the connection stays open until the execve.
	Direct bool
	// Preserved reports which of the caller's descriptors from 3 on, that the process gets, are
	// open.
	Preserved []bool
}

// Output is a program with what it needs to run.
type Output struct {
	Program *program.Program
	// CloneFlags are the namespaces to create when the program is launched.
	CloneFlags uintptr
	// Sources go to consecutive descriptors from [Output.SourceFD] on.
	Sources []source.Source
	// SourceFD is the descriptor of the first source.
	SourceFD int
	// Later are sources that the program requests when it needs them (PointSource).
	Later []source.Source
	// Socket, Gate, Console and Image are the program's descriptors of its end of the connection
	// to the runtime, of the gate's listening socket, of the terminal's socket (these two are -1
	// if there is none) and of its own image.
	Socket, Gate, Console, Image int
	// GateOp is the index of the first op after the gate, or after where it would be.
	GateOp int
	// Forks is how often the program goes on in a child of its own. ForksLast reports whether the
	// last time is when nothing is left to do but the execve.
	Forks     int
	ForksLast bool
	// Birth is the cgroup of the unified hierarchy in which the program has to start, empty for
	// the runtime's. If it cannot start there, it can enter it: then the word Outside has to be
	// 1. Outside is 0 without Birth.
	Birth   string
	Outside program.Word
	// TakesTwo reports whether the program takes two places in that cgroup for a moment, and none
	// when Outside is 1.
	TakesTwo bool
	// Listener reports whether the message protocol.StageStarted carries the descriptor of a
	// seccomp listener, and whether the program waits for an answer to it, as at a sync point.
	Listener bool
	// Mute reports whether the seccomp filter prevents the program from reporting anything once
	// it is loaded.
	Mute bool
	// UnknownCalls are system calls of linux.seccomp that this version does not know.
	UnknownCalls []string
	// Links are the targets of symbolic links that are created in place of mounts, by the index
	// of the mount.
	Links map[int]string
	// Places are the mounts that the program tells the numbers of by protocol.ValueMount.
	Places []Place
	// Notices are warnings that the program selects by protocol.ValueNotice and an index.
	Notices []string
	// Warnings are about what the process asked for and does not get. Remarks are about what is
	// odd, but works as expected.
	Warnings, Remarks []bundle.Problem
}

// compiler is a program that is being built.
type compiler struct {
	*program.Builder
	in   Input
	kind kind
	spec *specs.Spec
	out  Output
	// problems are the reasons why there is no program.
	problems []Problem

	socket, gate, consoleSocket, image program.Arg
	lastKept                           int // the last descriptor that stays open after the set-up
	keptCount, keptProcs, keptDir      int // places for the cgroups that are entered by or after the last fork
	placesTaken                        map[int]bool

	root program.Arg // the root directory of the container

	scratch scratch
	got     program.Word // size of the last answer
	reply   program.Addr // the last answer
	umask   program.Word // of the caller
	home    program.Addr // "HOME=…" when the runtime has to find it
	stat    program.Statx
	statfs  program.Statfs

	list []*mount // the mounts of the configuration
	// indexes has the indexes of the mounts of each destination, once they were asked for.
	indexes map[string][]int
	at      map[string]*mount // the last one so far at each destination
	// numbers are those of the mounts so far, and ask is how the runtime is asked about them.
	numbers numbered
	ask     ask
	// spread reports whether what is mounted may appear on the host, see spreads.
	spread bool
	// orders are what the runtime has to be done for a copy, to the file copyTo.
	orders program.Orders
	copyTo program.Word
	devDir program.Word // /dev, where nothing is mounted
	// onTop reports whether the rootfs is attached on the root of the mount namespace.
	onTop bool
	// timeOffsets is the file for the offsets of a new time namespace.
	timeOffsets program.Word
	// files is how many descriptors the sources of bind mounts and the preserved ones need; later
	// reports whether they are too many to be open at once.
	files int
	later bool
	// openFiles is the caller's limit of open files, when it was raised.
	openFiles program.Rlimit
	// userns has the descriptors of user namespaces for mounts with id mappings.
	userns map[string]int
	// pinned has the cgroups for mounts, by index, if their paths are no longer valid at the time
	// of the mount.
	pinned map[int][]program.Word
	// kept has the descriptors of mounts, by index, that are needed again to protect paths in
	// them or to set their propagation.
	kept map[int]program.Arg
	// withRoot has the propagation of the root for those mounts, by index, that have to get it
	// one by one.
	withRoot map[int]uint64
	// remounted has the descriptors of mounts, by index, that a later entry changes. remounts
	// maps the index of such an entry to the index of the mount.
	remounted map[int]program.Word
	remounts  map[int]int
	nullMask  program.Arg // the null device, for masks
	// readonly has the mounts that become read-only at the end of the set-up.
	readonly []readonlyMount

	filter *seccomp.Filter // what is loaded last of all; nil for none
	early  bool            // whether that is before the last fork
	// late reports whether the first process of a container enters a joined pid namespace by
	// its last fork, and pidNamespace is that, for a procfs.
	late         bool
	pidNamespace program.Arg
	caps         bundle.Capabilities // of the process

	users users
	// uids and gids are the mappings of a user namespace that is joined, after the first request.
	uids, gids bundle.IDMap
	mapsAsked  bool
	trees      int // number of trees that the program opens
	// request asks the runtime for sources; refused are the places where the kernel may refuse to
	// attach a source as it is.
	request     program.Request
	refused     []refusal
	fetched     program.Word // the last tree that the runtime has opened on request
	usersToJoin join

	joined  bool          // the cgroups have been joined
	stray   program.Label // where a program continues that the runtime has not launched
	command program.Word  // the address of the path of the command
	again   program.Word  // whether that has to be looked up once more, 0 without a last fork
	conn    program.Word  // the connection to start
	joins   bool          // the container exists already
	noHome  bool          // no HOME is added to the environment
}

type readonlyMount struct {
	mnt  program.Word
	dest string
	note program.Note
}

// Init compiles the program of a container's first process. The error is a [Problem] when
// the configuration is wrong.
func Init(in Input) (*Output, error) { return compileInit(in).finish() }

// Check returns everything for which [Init] refuses a configuration. The output has only the
// warnings and the sources with their descriptors.
func Check(in Input) (out *Output, problems []bundle.Problem) {
	c := compileInit(in)
	for _, p := range c.problems {
		problems = append(problems, p.Problem)
	}
	if _, err := c.finish(); err != nil && len(problems) == 0 {
		problems = append(problems, bundle.Problem{Text: err.Error()})
	}
	return &c.out, problems
}

func compileInit(in Input) *compiler {
	c := newCompiler(in, firstProcess)
	c.users = usersOf(c.spec, in.Host)

	c.readMounts()
	c.planOpenFiles()
	c.begin()
	c.oomScoreAdj()
	c.labels(!in.NoNewKeyring)
	c.raiseOpenFiles()
	c.namespaces()
	c.keyring()
	c.network()
	c.keepMounts()
	c.attachRoot()
	c.pinMasks()
	c.mounts()
	c.devices()
	// The cgroup is joined as late as possible, so that little of the set-up is charged to the
	// container. After this point nothing needs the runtime's cgroup, and hooks may expect the
	// container in its own.
	c.joinCgroup()
	c.runtimeHooks()
	c.enterRoot()
	c.makeCwd()
	// The terminal comes from the container's own devpts, and /dev/console needs
	// a writable /dev.
	c.terminal(true)
	c.makeReadonly()
	c.names()
	c.sysctls()
	// Masks come after everything that uses /proc and /sys of the container.
	c.readonlyPaths()
	c.maskedPaths()
	c.answerAsks()
	c.propagateMounts()
	c.propagateRoot()
	c.attributes()
	c.ready()
	// After this no descriptor leads to a directory of the host.
	c.dropDescriptors()
	c.restoreOpenFiles()
	c.compileFilter()
	c.noNewPrivileges()
	c.identity()
	c.stayHidden()
	c.lookUpCommand()
	c.lastForkOfFirst()
	c.waitAtGate()
	c.exec()
	return c
}

func (c *compiler) finish() (*Output, error) {
	if len(c.problems) > 0 {
		return nil, c.problems[0]
	}
	c.refuseStrays()
	p, err := c.Finish()
	if err != nil {
		return nil, fmt.Errorf("init program: %w", err)
	}
	c.out.Program = p
	return &c.out, nil
}

// kind says what a program becomes.
type kind int

const (
	firstProcess   kind = iota // of a container
	furtherProcess             // that enters the pid namespace of a container
	otherProcess
)

// kindOfJoining is the kind of a program that joins a container.
func kindOfJoining(s *specs.Spec) kind {
	if oci.Namespace(s, specs.PIDNamespace) != nil {
		return furtherProcess
	}
	return otherProcess
}

// newCompiler arranges the descriptors. Those that stay open longest come first, so that the
// others can be closed as one range.
func newCompiler(in Input, what kind) *compiler {
	next := 3 + len(in.Preserved)
	place := func() int { next++; return next - 1 }
	c := &compiler{
		Builder: program.NewBuilder(next),
		in:      in,
		spec:    in.Bundle.Spec,
		kind:    what,
		out:     Output{Socket: place(), Gate: -1, Console: -1},
	}
	switch {
	case what == firstProcess && !in.Direct:
		c.out.Gate = place()
	case what == furtherProcess:
		c.keptCount, c.keptProcs, c.keptDir = place(), place(), place()
	}
	c.lastKept = next - 1
	if c.spec.Process != nil && c.spec.Process.Terminal {
		c.out.Console = place()
	}
	c.out.Image = place()
	c.out.SourceFD = c.out.Image + 1
	c.socket, c.gate = program.FD(c.out.Socket), program.FD(c.out.Gate)
	c.consoleSocket, c.image = program.FD(c.out.Console), program.FD(c.out.Image)

	c.got, c.umask = c.Word("got", 0), c.Word("umask", 0)
	c.reply = c.Buffer("reply", protocol.MessageSize)
	c.stat, c.statfs = c.NewStatx("st"), c.NewStatfs("statfs")
	// The image stays as /proc/self/exe, so its descriptor is not needed. Only the runtime passes
	// it, see refuseStrays.
	c.note(stepCloseImage, "", "close the image", "")
	c.stray = c.Label()
	c.Close(c.image).Else(c.stray)
	return c
}

// refuseStrays reports that the runtime has not launched the program. The image is /proc/PID/exe
// until the execve, so a script can name it as its interpreter, and a process in a created
// container can execute it.
func (c *compiler) refuseStrays() {
	const text = "coracle: this is the program that sets a container up, which a link like /proc/self/exe has led to: there is no command in it\n"
	c.note(stepRefuse, "", "refuse to run without the runtime", "")
	c.Exit(0)
	c.Bind(c.stray)
	c.Write(program.FD(2), text).Allow(program.AnyError)
	c.Exit(127)
}

// Problem is a problem of a configuration that prevents compiling it.
type Problem struct {
	bundle.Problem
	cause error
	file  string // the configuration's file
}

func (p Problem) Error() string {
	if s := p.Sentence(); s != p.Text {
		return p.file + ": " + s
	}
	return p.Text
}

func (p Problem) Unwrap() error { return p.cause }

// Facts makes it a [fault.Knower]. What the host says of a property is no mistake in it.
func (p Problem) Facts() fault.Facts {
	known := p.Problem.Facts()
	if errno := syscall.Errno(0); errors.As(p.cause, &errno) {
		known.Code = ""
	}
	return known
}

// fail adds a problem with a property.
func (c *compiler) fail(pointer, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	c.problems = append(c.problems, Problem{bundle.Problem{Property: pointer, Text: err.Error()}, err, c.configName()})
}

// configName is the name of the configuration in errors.
func (c *compiler) configName() string {
	if b := c.in.Bundle; b != nil && b.Config != "" {
		return b.Config
	}
	return bundle.ConfigName
}

func (c *compiler) remark(pointer, format string, args ...any) {
	c.out.Remarks = append(c.out.Remarks, bundle.About(pointer, format, args...))
}

func (c *compiler) warn(pointer, format string, args ...any) {
	c.out.Warnings = append(c.out.Warnings, bundle.About(pointer, format, args...))
}

// note describes the ops that follow: the name of the step, the property that causes them, their
// purpose and, when not empty, its object.
func (c *compiler) note(step program.Step, property, what, object string) {
	c.Describe(program.Note{Step: step, What: what, Object: object, Property: property})
}

// source adds a source, and returns its descriptor. It has to be called before the pivot.
func (c *compiler) source(s source.Source) program.Arg {
	if t, ok := s.(source.Tree); ok && c.in.Host.OpensNothing {
		return c.openTree(t)
	}
	c.out.Sources = append(c.out.Sources, s)
	return program.FD(c.out.SourceFD + len(c.out.Sources) - 1)
}

// tree adds a tree of the host, and returns its descriptor. Unless the program opens the tree
// itself, number gets its number as a source.
func (c *compiler) tree(t source.Tree, number *int) program.Arg {
	if !c.in.Host.OpensNothing {
		*number = c.out.SourceFD + len(c.out.Sources)
	}
	return c.source(t)
}

// laterSource adds a source that is opened when the program asks for it.
func (c *compiler) laterSource(s source.Source) (number int) {
	c.out.Later = append(c.out.Later, s)
	return protocol.LaterSource + len(c.out.Later) - 1
}

// begin makes the process independent of what it inherited.
func (c *compiler) begin() {
	c.note(stepPrepare, "", "prepare the init process", "")
	c.Prctl(unix.PR_SET_PDEATHSIG, program.Int(unix.SIGKILL))
	c.Prctl(unix.PR_SET_NAME, c.String(protocol.ProcessName))
	if c.in.Host.TimerSlack != 0 {
		c.Prctl(unix.PR_SET_TIMERSLACK, program.Int(c.in.Host.TimerSlack))
	}
	c.Setsid()
	// Modes are given exactly; the caller's umask is put back for the process.
	c.Umask(program.Int(0)).Into(c.umask)
	// Ignored signals would stay ignored across execve; conmon ignores SIGPIPE.
	c.SigmaskClear()
	sig := c.Word("sig", 1)
	again := c.Label()
	c.Bind(again)
	c.Sigdefault(sig.Arg()).Allow(unix.EINVAL) // SIGKILL, SIGSTOP
	c.Add(sig, 1)
	c.Check(sig, ^uint32(0), 65, 0).Else(again)
}

// sync waits at a sync point until the runtime answers. The program ends when the runtime has
// ended.
func (c *compiler) sync(sock program.Arg, point protocol.Point) {
	c.Send(sock, protocol.Sync(point))
	c.receive(sock, c.reply, protocol.MessageSize)
}

// receive waits for an answer of the runtime.
func (c *compiler) receive(sock program.Arg, buf program.Addr, size int) {
	answered := c.Label()
	c.Recv(sock, buf, size).Into(c.got)
	c.Check(c.got, ^uint32(0), 0, 0).Else(answered)
	c.Exit(1)
	c.Bind(answered)
}

// names sets the names of the UTS namespace.
func (c *compiler) names() {
	if c.spec.Hostname != "" {
		c.note(stepHostname, "hostname", "set the hostname", c.spec.Hostname)
		c.Sethostname(c.spec.Hostname)
	}
	if c.spec.Domainname != "" {
		c.note(stepDomainname, "domainname", "set the domain name", c.spec.Domainname)
		c.Setdomainname(c.spec.Domainname)
	}
}

// relative returns a cleaned path below the root of the container: "" for the root.
func relative(p string) string {
	return strings.TrimPrefix(path.Clean("/"+p), "/")
}
