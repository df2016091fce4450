package compile

import (
	"fmt"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/bundle"
	"coracle/libcontainer/program"
	"coracle/libcontainer/source"
)

// atClone are the namespaces that the launch makes: a process cannot move itself into
// a new pid namespace, and a procfs can only be mounted where that belongs to the same
// user namespace. The others are made by the program itself, at the same time as the
// runtime makes the cgroups.
const atClone = unix.CLONE_NEWPID | unix.CLONE_NEWUSER

// namespaces makes the new namespaces and joins those that are given by path.
func (c *compiler) namespaces() {
	if c.spec.Linux == nil {
		return
	}
	type join struct {
		ns   specs.LinuxNamespace
		fd   program.Arg
		flag uint64
		note program.Note
	}
	var joins []join
	unshare := uint64(0)
	for i, ns := range c.spec.Linux.Namespaces {
		flag := bundle.NamespaceFlag(ns.Type)
		if ns.Path == "" {
			switch {
			case flag&atClone != 0:
				c.out.CloneFlags |= uintptr(flag)
			case flag == unix.CLONE_NEWTIME: // see timeNamespace
			case flag != unix.CLONE_NEWCGROUP: // see joinCgroup
				unshare |= flag
			}
			continue
		}
		pointer := fmt.Sprintf("linux.namespaces[%d].path", i)
		fd := c.source(source.Namespace{Pointer: pointer, Name: string(ns.Type), Path: ns.Path, Flag: flag})
		joins = append(joins, join{ns, fd, flag, program.Note{What: "join the " + string(ns.Type) + " namespace", Object: ns.Path, Pointer: pointer}})
	}
	c.timeNamespace()
	if len(joins) > 0 {
		// Others may look at this process from the moment that it shares a namespace
		// with them; until the execve they must not see into it.
		c.note("linux.namespaces", "hide from the processes there", "")
		c.Prctl(unix.PR_SET_DUMPABLE, program.Int(0))
	}
	if unshare != 0 {
		c.note("linux.namespaces", "make the other namespaces", "")
		c.Unshare(unshare)
	}
	joinAll := func(want func(uint64) bool) {
		for _, j := range joins {
			if want(j.flag) {
				c.Describe(j.note)
				c.Setns(j.fd, j.flag)
				c.Close(j.fd)
			}
		}
	}
	// A mount namespace replaces root and working directory, so it comes last.
	joinAll(func(f uint64) bool { return f != unix.CLONE_NEWPID && f != unix.CLONE_NEWNS })
	joinAll(func(f uint64) bool {
		if f != unix.CLONE_NEWPID {
			return false
		}
		c.out.Forks = true
		return true
	})
	if c.out.Forks {
		// No fork outside of the container's cgroup.
		c.joinCgroup()
		c.fork(nil)
	}
	if ns := bundle.Namespace(c.spec, specs.MountNamespace); ns != nil && ns.Path != "" {
		// The files of the cgroups are named by paths, which mean something else there.
		c.joinCgroup()
		c.pinCgroups()
	}
	joinAll(func(f uint64) bool { return f == unix.CLONE_NEWNS })
}

// fork goes on in a child: only children of the process that joins a pid
// namespace are in it. The child gets the runtime as its parent.
func (c *compiler) fork(explain func(syscall.Errno) string) {
	c.Describe(program.Note{What: "fork into the pid namespace", Pointer: "linux.namespaces", Explain: explain})
	pid, pidfd := c.Word("pid", 0), c.Word("pidfd", -1)
	child := c.Label()
	c.Clone3(unix.CLONE_PARENT|unix.CLONE_PIDFD, 0, pidfd).Into(pid)
	c.JumpIf(pid, ^uint32(0), 0, child)
	c.SendWordFD(c.socket, program.Message{Kind: program.KindValue, A: ValuePid}, pid, pidfd)
	c.Exit(0)
	c.Bind(child)
	c.Prctl(unix.PR_SET_PDEATHSIG, program.Int(unix.SIGKILL))
	c.Setsid()
	c.sync(c.socket, SyncPid)
}

// network brings up the loopback device of a new network namespace, and waits for the
// devices that come from the host.
func (c *compiler) network() {
	c.loopback()
	if c.spec.Linux != nil && len(c.spec.Linux.NetDevices) > 0 {
		c.note("linux.netDevices", "wait for the network devices", "")
		c.sync(c.socket, SyncNetDevices)
	}
}

func (c *compiler) loopback() {
	ns := bundle.Namespace(c.spec, specs.NetworkNamespace)
	if ns == nil || ns.Path != "" {
		return
	}
	c.note("linux.namespaces", "bring up the loopback device", "")
	// struct ifreq: the name, then the flags.
	ifreq := make([]byte, 40)
	copy(ifreq, "lo")
	ifreq[16] = unix.IFF_UP | unix.IFF_RUNNING
	c.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC).Into(c.tmp)
	c.Ioctl(c.tmp.Arg(), unix.SIOCSIFFLAGS, program.Ptr(c.Bytes(ifreq)))
	c.Close(c.tmp.Arg())
}

// keyring gives the container a session keyring of its own, so that it cannot
// use the keys of the caller (keyrings(7)).
func (c *compiler) keyring() {
	if c.in.NoNewKeyring {
		return
	}
	c.note("", "make the session keyring", "")
	next := c.Label()
	// ENOSYS: a kernel without keys, or a seccomp filter around the runtime.
	c.Keyctl(unix.KEYCTL_JOIN_SESSION_KEYRING, c.String("_ses."+c.in.ID)).Into(c.tmp).Allow(unix.ENOSYS).Else(next)
	// The possessor may do all; the user may view, read and, for exec by
	// name, search and link.
	const permissions = 0x3f1b0000
	c.Keyctl(unix.KEYCTL_SETPERM, c.tmp.Arg(), program.Hex(permissions))
	c.Bind(next)
}
