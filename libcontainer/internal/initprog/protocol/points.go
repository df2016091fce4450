package protocol

import "strconv"

// Point is a sync point: a program that has reached it waits for the runtime.
type Point uint32

const (
	// PointPid comes right after the fork that enters a joined pid namespace, unless
	// PointReady comes in any case. The runtime answers when it knows the new pid.
	PointPid Point = 1 + iota
	// PointCgroup waits until the cgroups of the container are there to be joined: the
	// runtime makes them while the program does other things.
	PointCgroup
	// PointReady comes when the container is built and the process still has its
	// privileges. The message may carry a descriptor of /etc/passwd. The runtime sets the
	// resource limits and answers with the home directory: "HOME=…" and NUL.
	PointReady
	// PointHooks waits until the prestart, createRuntime and createContainer hooks have run:
	// the mounts are there, the root is not entered yet. The root comes with the message.
	PointHooks
	// PointStart waits, on the connection to start, until the startContainer hooks have run.
	PointStart
	// PointNetDevices waits until the network devices of the host that the container gets
	// are in its network namespace.
	PointNetDevices
	// PointCopyUp waits until a tmpfs has its contents, see [CopyUp].
	PointCopyUp
	// PointMakeDir and PointMakeFile wait until a directory or file is made that is reached
	// through a dangling link, or until it is found out why that is not possible. The
	// message has the index in mounts of the entry that it is the mount point for, or [Cwd],
	// and whether no link may be followed. The root of the container comes with it.
	PointMakeDir
	PointMakeFile
	// PointIDMaps waits until the new user namespace has its mappings of ids.
	PointIDMaps
	// PointSource waits for a descriptor: that of a source, see [Message.Source]. The answer
	// carries it.
	PointSource
	// PointMakeLink waits until a copy of a symbolic link is there. The message has the index
	// in mounts of the entry that it is made for. The root of the container comes with it.
	PointMakeLink

	// Points is the number of the highest point plus 1.
	Points
)

var points = [...]string{
	PointPid: "pid", PointCgroup: "cgroup", PointReady: "ready", PointHooks: "hooks", PointStart: "start",
	PointNetDevices: "network devices", PointCopyUp: "copy up", PointMakeDir: "make directory", PointMakeFile: "make file",
	PointIDMaps: "id maps", PointSource: "source", PointMakeLink: "make link",
}

func (p Point) String() string { return name(points[:], uint32(p)) }

// Stage is a part of a program whose completion it announces.
type Stage uint32

const (
	// StageCreated: the container is created. The program waits at the gate, if there is one.
	StageCreated Stage = 1 + iota
	// StageStarted: the next op is the execve of the user's process. The message may carry
	// the listener of a seccomp filter, or say that there will be one ([Message.Listener]);
	// then the program waits for an answer.
	StageStarted
)

var stages = [...]string{StageCreated: "created", StageStarted: "started"}

func (s Stage) String() string { return name(stages[:], uint32(s)) }

// Value is a number or descriptor that a program hands over.
type Value uint32

const (
	// ValuePid is the pid of the process that goes on after a fork, as the runtime sees it.
	// A pidfd comes with the message.
	ValuePid Value = 1 + iota
	// ValueCopyFrom brings the directory that the following PointCopyUp is about.
	ValueCopyFrom
	// ValueNotice is a warning, see [Message.Notice].
	ValueNotice
	// ValueTree brings a tree of mounts.
	ValueTree
)

var values = [...]string{ValuePid: "pid", ValueCopyFrom: "copy from", ValueNotice: "notice", ValueTree: "tree"}

func (v Value) String() string { return name(values[:], uint32(v)) }

// name is the name of a number; names begin at 1.
func name(names []string, n uint32) string {
	if n > 0 && n < uint32(len(names)) {
		return names[n]
	}
	return strconv.FormatUint(uint64(n), 10)
}

// Cwd stands for process.cwd where PointMakeDir has the index of a mount.
const Cwd = ^uint32(0)

// Device stands for an entry of linux.devices, by its index, where PointMakeDir, for the
// directory of the node, and PointMakeFile have the index of a mount.
func Device(index int) uint32 { return firstDevice + uint32(index) }

const firstDevice = 1 << 30

// SourceApart asks for a tree from a copy of the runtime's mount namespace, which is without
// the mount namespaces that are pinned by a mount ([PointSource]).
const SourceApart = 1

// LaterSource is the number of the first source that is opened when the program asks for it
// ([PointSource]). Descriptors are smaller.
const LaterSource = 1 << 30

// Takes says what the root of a tmpfs takes over from the directory that it covers.
type Takes uint32

const (
	TakesMode Takes = 1 << iota // the mode
	TakesUID                    // the owner
	TakesGID                    // the group
)

// ProcessName is the name (comm) that a process has to give itself before it announces its
// execve. execve names a process after the last component of a path, which can have no slash,
// so the name reports whether there has been an execve, also when the process has died since.
const ProcessName = "coracle/init"

// ImageMark is the bit S_ISVTX in the mode of the file that holds an image, by which a program
// knows one that a path has led to. The kernel gives it no meaning for a file.
const ImageMark = 0o1000

// Listener says how the runtime gets the listener of a seccomp filter that does not come with
// the message: it takes it from the process, which is about to load the filter.
type Listener uint32

const (
	// ListenerNotHeld: it comes with the message, or there is none.
	ListenerNotHeld Listener = iota
	// ListenerHeld: the program then waits for an answer.
	ListenerHeld
	// ListenerNotified: it waits for the listener's answer to a call of its own.
	ListenerNotified
)
