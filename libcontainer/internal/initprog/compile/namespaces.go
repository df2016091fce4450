package compile

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// namespaces makes the new namespaces and joins those given by path.
//
// A namespace belongs to the user namespace in which it is made, which determines who is
// privileged in it. So the user namespace comes before all other new ones. Namespaces to join may
// belong to another user namespace, over which only the runtime has privileges. If the runtime
// has none, they can only belong to the user namespace that is joined.
func (c *compiler) namespaces() {
	if c.spec.Linux == nil {
		return
	}
	fresh, made, joins := c.sortNamespaces()
	joining := func(flag uint64) bool {
		return slices.ContainsFunc(joins, func(j join) bool { return j.flag == flag })
	}
	entersPid := joining(unix.CLONE_NEWPID)
	c.late = entersPid && c.mayForkLate()
	c.openTimeOffsets()
	if c.users != newUsers {
		c.timeNamespace()
	}
	if len(joins) > 0 || c.users == joinedUsers || c.hides() {
		// Other processes may inspect this process from the moment that it shares a namespace
		// with them, or that they have power over its user namespace. Until the execve they must
		// not see into it.
		c.note(stepHide, "linux.namespaces", "hide from other processes", "")
		c.Prctl(unix.PR_SET_DUMPABLE, program.Int(0))
	}
	if c.users != hostUsers || entersPid || joining(unix.CLONE_NEWNS) {
		// From a user or mount namespace the host's cgroups cannot be reached, and no process may
		// fork outside of its own cgroup.
		c.enterCgroup()
	}
	if joining(unix.CLONE_NEWNS) {
		// The cgroup files are named by paths, which are not valid in the joined namespace.
		c.pinCgroups()
	}
	if c.users != hostUsers {
		c.ownHostStreams()
	}
	if c.users == hostUsers {
		// A process cannot move itself into a new pid namespace. The program makes the other
		// namespaces, in parallel with the runtime, which makes the cgroups.
		c.out.CloneFlags = uintptr(fresh & unix.CLONE_NEWPID)
		fresh &^= unix.CLONE_NEWPID
	}
	c.standAtRoot()
	trusted := c.users != joinedUsers || c.in.Host.can(unix.CAP_SYS_ADMIN)
	if trusted {
		c.join(joins...)
	}
	switch c.users {
	case newUsers:
		c.makeUsers()
		c.timeNamespace()
	case joinedUsers:
		c.join(c.usersToJoin)
		c.takeIDs()
	}
	if !trusted {
		c.join(joins...)
	}
	c.join(made...)
	if c.joined {
		fresh |= c.cgroupNamespace()
	}
	if fresh != 0 {
		c.note(stepNewNamespaces, "linux.namespaces", "make the other namespaces", "")
		c.Unshare(fresh)
	}
	if entersPid && !c.late || fresh&unix.CLONE_NEWPID != 0 {
		c.noteFork(nil)
		c.fork(func(pid, pidfd program.Word) { c.Fork(pidfd).Into(pid) })
		c.stayWithParent()
		c.sync(c.socket, protocol.PointPid)
	}
}

// join is a namespace to join.
type join struct {
	fd   program.Arg
	flag uint64
	note program.Note
}

// sortNamespaces separates new namespaces (made are those created outside of the program) from
// namespaces to join, which are opened. It leaves out the user namespace and new cgroup and time
// namespaces. A mount namespace replaces the root and working directories, so it comes last.
func (c *compiler) sortNamespaces() (fresh uint64, made, joins []join) {
	for i, ns := range c.spec.Linux.Namespaces {
		flag := oci.NamespaceFlag(ns.Type)
		if ns.Path == "" && flag&c.in.Host.Maker.Flags() != 0 {
			made = append(made, join{
				fd:   c.source(source.New{Name: string(ns.Type), Flag: flag, Maker: c.in.Host.Maker}),
				flag: flag,
				note: program.Note{Step: stepEnterNamespace, What: "enter the new " + string(ns.Type) + " namespace", Property: "linux.namespaces"},
			})
			continue
		}
		if ns.Path == "" {
			fresh |= flag &^ (unix.CLONE_NEWCGROUP | unix.CLONE_NEWUSER | unix.CLONE_NEWTIME)
			continue
		}
		pointer := fmt.Sprintf("linux.namespaces[%d].path", i)
		j := join{
			fd:   c.source(source.Namespace{Property: pointer, Name: string(ns.Type), Path: ns.Path, Flag: flag, Alters: altersOf(c.spec, ns.Type)}),
			flag: flag,
			note: program.Note{Step: stepJoinNamespace, What: "join the " + string(ns.Type) + " namespace", Object: ns.Path, Property: pointer, HostPath: ns.Path},
		}
		if flag == unix.CLONE_NEWUSER {
			c.usersToJoin = j
			continue
		}
		joins = append(joins, j)
	}
	slices.SortStableFunc(joins, func(a, b join) int {
		return cmp.Compare(a.flag&unix.CLONE_NEWNS, b.flag&unix.CLONE_NEWNS)
	})
	return fresh, made, joins
}

// altersOf returns a property that changes a namespace of this type, or relies on one that is not
// the host's; "" when there is none.
func altersOf(s *specs.Spec, ns specs.LinuxNamespaceType) string {
	l := s.Linux
	switch {
	case ns == specs.UTSNamespace && s.Hostname != "":
		return "hostname"
	case ns == specs.UTSNamespace && s.Domainname != "":
		return "domainname"
	case ns == specs.NetworkNamespace && len(l.NetDevices) > 0:
		return "linux.netDevices"
	case ns == specs.MountNamespace:
		return "root.path" // the rootfs is mounted there
	case ns == specs.UserNamespace && !bundle.IDMap(l.UIDMappings).IsIdentity():
		return "linux.uidMappings"
	case ns == specs.UserNamespace && !bundle.IDMap(l.GIDMappings).IsIdentity():
		return "linux.gidMappings"
	}
	for _, key := range bundle.SysctlKeys(s) {
		path, err := bundle.SysctlPath(key)
		if err != nil {
			continue
		}
		if of, err := bundle.SysctlNamespace(path); err == nil && of == ns {
			return fmt.Sprintf("linux.sysctl[%q]", key)
		}
	}
	return ""
}

// join joins namespaces in order.
func (c *compiler) join(joins ...join) {
	for _, j := range joins {
		c.Describe(j.note)
		c.Setns(j.fd, j.flag)
		if j.flag == unix.CLONE_NEWPID && c.late {
			c.pidNamespace = j.fd // closed with all others
			continue
		}
		c.Close(j.fd)
	}
}

// fork goes on in a child, whose parent is the runtime. The runtime is told of it by the
// process that has forked, which ends.
func (c *compiler) fork(call func(pid, pidfd program.Word)) {
	c.out.Forks++
	pid, pidfd := c.Word("pid", 0), c.Word("pidfd", -1)
	child := c.Label()
	call(pid, pidfd)
	c.JumpIf(pid, ^uint32(0), 0, child)
	c.SendWordFD(c.socket, protocol.ValueOf(protocol.ValuePid), pid, pidfd)
	c.Exit(0)
	c.Bind(child)
}

// stayWithParent ends the process with the runtime, as what forked would have.
func (c *compiler) stayWithParent() {
	c.Prctl(unix.PR_SET_PDEATHSIG, program.Int(unix.SIGKILL))
	c.Setsid()
}

const forkWhat = "fork into the pid namespace"

// noteFork describes the fork into a pid namespace: only children of the process that joins
// one are in it.
func (c *compiler) noteFork(explain func(syscall.Errno) string) {
	c.Describe(program.Note{Step: stepFork, What: forkWhat, Property: "linux.namespaces", Explain: func(e syscall.Errno) string {
		switch {
		case e == unix.EAGAIN && c.limitsProcesses():
			return ExecError(c.spec.Process, e)
		case e == unix.EAGAIN:
			return forkWhat + ": " + e.Error() + " (a limit of processes is reached)"
		case explain != nil:
			return explain(e)
		}
		return ""
	}, Hint: func(e syscall.Errno) string {
		if e == unix.EAGAIN && c.limitsProcesses() {
			return ExecHint(c.spec.Process, e)
		}
		return ""
	}})
}

// network sets the loopback device of a new network namespace up, and waits for the devices from
// the host.
func (c *compiler) network() {
	c.loopback()
	if c.spec.Linux != nil && len(c.spec.Linux.NetDevices) > 0 {
		c.note(stepAwaitNetDevices, "linux.netDevices", "wait for the network devices", "")
		c.sync(c.socket, protocol.PointNetDevices)
	}
}

func (c *compiler) loopback() {
	if !oci.HasNew(c.spec, specs.NetworkNamespace) || c.in.Host.Maker.Flags()&unix.CLONE_NEWNET != 0 {
		return
	}
	defer c.block()()
	tmp := c.take("tmp")
	c.note(stepLoopback, "linux.namespaces", "bring up the loopback device", "")
	// struct ifreq: the name, then the flags.
	ifreq := make([]byte, 40)
	copy(ifreq, "lo")
	ifreq[16] = unix.IFF_UP | unix.IFF_RUNNING
	c.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC).Into(tmp)
	c.Ioctl(tmp.Arg(), unix.SIOCSIFFLAGS, program.Ptr(c.Bytes(ifreq)))
	c.Close(tmp.Arg())
}

// keyOwner returns the user whose quota the session keyring is charged to, for errors: the
// program's user after it has entered its user namespace (takeIDs).
func (c *compiler) keyOwner() string {
	if c.users == hostUsers {
		return fmt.Sprintf("user %d", os.Getuid())
	}
	ids := []uint32{0}
	if c.spec.Process != nil {
		ids = append(ids, c.spec.Process.User.UID)
	}
	for _, id := range ids {
		if host, ok := bundle.IDMap(c.spec.Linux.UIDMappings).ToHost(id); ok {
			return fmt.Sprintf("user %d, %d in the container,", host, id)
		}
	}
	return "the first user of the container's user namespace"
}

// KeyringName returns the name of a container's session keyring, with a random part that cannot
// be guessed. Containers of older versions have none.
func KeyringName(id, random string) string {
	if random != "" {
		random = "." + random
	}
	return "_ses." + id + random
}

// checkKeyring checks that the joined keyring is the one that this runtime has created.
//
// Attacker: a user of the host. The kernel finds a keyring by its name only, whoever has created
// it and given others access.
func (c *compiler) checkKeyring(name string, keyring program.Arg) {
	defer c.block()()
	c.Describe(program.Note{Step: stepKeyring, What: "check the session keyring", Explain: func(e syscall.Errno) string {
		switch e {
		case unix.EKEYREJECTED:
			return fmt.Sprintf("make the session keyring: the keyring %q belongs to another user", name)
		case unix.EEXIST:
			return fmt.Sprintf("make the session keyring: the keyring %q is in use already", name)
		}
		return ""
	}})
	uid := c.in.Host.UID
	if c.users != hostUsers {
		uid = 0 // see takeIDs
	}
	wanted := fmt.Sprintf("keyring;%d;", uid)
	// Plus both ids, the permissions and a NUL.
	size := len("keyring;;;;") + 10 + 10 + 8 + len(name) + 1
	text := c.Buffer("keyring", size)
	c.Keyctl(unix.KEYCTL_DESCRIBE, keyring, program.Ptr(text), program.Int(size))
	for at := 0; at < len(wanted); at += 4 {
		part := wanted[at:min(at+4, len(wanted))]
		value, mask := uint32(0), uint32(0)
		for i := range len(part) {
			value |= uint32(part[i]) << (8 * i)
			mask |= 0xff << (8 * i)
		}
		c.Check(program.Word(text)+program.Word(at), mask, value, unix.EKEYREJECTED)
	}
	if c.joins {
		return
	}
	used := c.take("used")
	c.Keyctl(unix.KEYCTL_READ, keyring, program.Int(0), program.Int(0)).Into(used)
	c.Check(used, ^uint32(0), 0, unix.EEXIST)
}

// keyring creates a new session keyring for the container, so that it cannot use the caller's
// keys (keyrings(7)).
func (c *compiler) keyring() {
	if c.in.NoNewKeyring {
		return
	}
	defer c.block()()
	tmp := c.take("tmp")
	c.Describe(program.Note{Step: stepKeyring, What: "make the session keyring", Explain: func(e syscall.Errno) string {
		if e != unix.EDQUOT {
			return ""
		}
		return fmt.Sprintf("make the session keyring: the key quota of %s is used up", c.keyOwner())
	}, Hint: func(e syscall.Errno) string {
		if e != unix.EDQUOT {
			return ""
		}
		return "the limits are in /proc/sys/kernel/keys"
	}})
	next := c.Label()
	name := c.in.Keyring
	if name == "" {
		name = KeyringName(c.in.ID, "")
	}
	// ENOSYS: a kernel without keys, or a seccomp filter on the runtime.
	c.Keyctl(unix.KEYCTL_JOIN_SESSION_KEYRING, c.String(name)).Into(tmp).Allow(unix.ENOSYS).Else(next)
	c.checkKeyring(name, tmp.Arg())
	// The possessor may do everything; the user may view, read and, for exec by name, search and
	// link.
	const permissions = 0x3f1b0000
	c.Keyctl(unix.KEYCTL_SETPERM, tmp.Arg(), program.Hex(permissions))
	c.Bind(next)
}
