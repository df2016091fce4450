package protocol

import "strconv"

// Point is a sync point, at which a program waits for the runtime.
type Point uint32

const (
	// PointPid comes after a fork when the process needs the runtime to know it. The runtime
	// answers when it does.
	PointPid Point = 1 + iota
	// PointCgroup waits until the cgroups of the container exist: the runtime makes them while
	// the program does other things.
	PointCgroup
	// PointReady comes when the container is built and the process still has its
	// privileges. The message may carry a descriptor of /etc/passwd. The runtime sets the
	// resource limits and answers with the home directory: "HOME=…" and NUL.
	PointReady
	// PointHooks waits until the prestart, createRuntime and createContainer hooks have run. The
	// mounts exist, and the root is not entered yet. The message carries the root.
	PointHooks
	// PointStart waits, on the connection to start, until the startContainer hooks have run.
	PointStart
	// PointNetDevices waits until the host's network devices for the container are in its network
	// namespace.
	PointNetDevices
	// PointCopyUp waits until the files are copied into a tmpfs, see [CopyUp].
	PointCopyUp
	// PointMakeDir and PointMakeFile wait until the runtime has created a directory or file
	// behind a dangling link, or has found out why that is impossible. The message has the index
	// in mounts for which it is the mount point, or [Cwd], and whether symbolic links must not be
	// followed. It carries the root of the container.
	PointMakeDir
	PointMakeFile
	// PointIDMaps waits until the id mappings of the new user namespace are written.
	PointIDMaps
	// PointSource waits for the descriptor of a source, see [Message.Source]. The answer carries
	// it.
	PointSource
	// PointMakeLink waits until the runtime has created a copy of a symbolic link. The message
	// has the index in mounts for it, and carries the root of the container.
	PointMakeLink
	// PointPlace waits until it is found out whether something may be done in a mount. The
	// message has the index that PointMakeDir has, and the number of the mount. The root of the
	// container comes with it.
	PointPlace

	// Points is the highest point plus 1.
	Points
)

var points = [...]string{
	PointPid: "pid", PointCgroup: "cgroup", PointReady: "ready", PointHooks: "hooks", PointStart: "start",
	PointNetDevices: "network devices", PointCopyUp: "copy up", PointMakeDir: "make directory", PointMakeFile: "make file",
	PointIDMaps: "id maps", PointSource: "source", PointMakeLink: "make link", PointPlace: "place",
}

func (p Point) String() string { return name(points[:], uint32(p)) }

// Stage is a part of a program that announces its completion.
type Stage uint32

const (
	// StageCreated: the container is created. The program waits at the gate, if there is one.
	StageCreated Stage = 1 + iota
	// StageStarted: the next op is the execve of the user's command. The message may carry the
	// listener of a seccomp filter, or say that there will be one ([Message.Listener]); the
	// program then waits for an answer.
	StageStarted
)

var stages = [...]string{StageCreated: "created", StageStarted: "started"}

func (s Stage) String() string { return name(stages[:], uint32(s)) }

// Value is a number or descriptor that a program passes to the runtime.
type Value uint32

const (
	// ValuePid is the pid, in the runtime's pid namespace, of the process that continues after a
	// fork. The message carries a pidfd of it.
	ValuePid Value = 1 + iota
	// ValueCopyFrom carries the directory for the following PointCopyUp.
	ValueCopyFrom
	// ValueNotice is a warning, see [Message.Notice].
	ValueNotice
	// ValueTree carries a tree of mounts.
	ValueTree
	// ValueMount is the number that the kernel has given a mount, see [Message.MountNumber]. Those
	// that are made so far come before a point that depends on them.
	ValueMount
	// ValueResult is the result of an order, see [Message.Result].
	ValueResult
)

var values = [...]string{ValuePid: "pid", ValueCopyFrom: "copy from", ValueNotice: "notice", ValueTree: "tree", ValueMount: "mount", ValueResult: "result"}

func (v Value) String() string { return name(values[:], uint32(v)) }

// name returns the name of a number; names begin at 1.
func name(names []string, n uint32) string {
	if n > 0 && n < uint32(len(names)) {
		return names[n]
	}
	return strconv.FormatUint(uint64(n), 10)
}

// Cwd means process.cwd instead of a mount's index in PointMakeDir.
const Cwd = ^uint32(0)

// Device means an entry of linux.devices instead of a mount's index: in PointMakeDir for the
// directory of the node, and in PointMakeFile for the node.
func Device(index int) uint32 { return firstDevice + uint32(index) }

const firstDevice = 1 << 30

// Protected stands for an entry of linux.readonlyPaths, by its index, or of linux.maskedPaths, by
// its index after all of those, where PointPlace has the index of a mount.
func Protected(index int) uint32 { return firstProtected + uint32(index) }

const firstProtected = 1 << 31

// SourceApart asks for a tree from a copy of the runtime's mount namespace, which has no mounts
// that pin mount namespaces ([PointSource]).
const SourceApart = 1

// LaterSource is the number of the first source that is opened on request ([PointSource]).
// Descriptors are smaller.
const LaterSource = 1 << 30

// Takes is what the root of a tmpfs takes from the directory that it covers.
type Takes uint32

const (
	TakesMode Takes = 1 << iota // the mode
	TakesUID                    // the owner
	TakesGID                    // the group
)

// ProcessName is the name (comm) that a process has to set before it announces its execve. execve
// sets the name to the last component of a path, which cannot contain a slash. So the name shows
// whether there was an execve, even after the process has died.
const ProcessName = "coracle/init"

// ImageMark is the bit S_ISVTX in the mode of an image's file, by which a program recognizes an
// image. The bit has no effect on files.
const ImageMark = 0o1000

// Listener is how the runtime gets the listener of a seccomp filter that does not come with the
// message: it takes it from the process, which is about to load the filter.
type Listener uint32

const (
	// ListenerNotHeld: the message carries it, or there is none.
	ListenerNotHeld Listener = iota
	// ListenerHeld: the program waits for an answer afterwards.
	ListenerHeld
	// ListenerNotified: the program waits until the listener answers one of its system calls.
	ListenerNotified
)
