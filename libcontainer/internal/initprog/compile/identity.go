package compile

import (
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// needsRuntime reports whether ready has to wait for the runtime. Before a process is
// independent, the runtime has to record where it is, or to check that it is where the container
// is.
func (c *compiler) needsRuntime() bool { return c.spec.Process != nil }

// needsHome reports whether the runtime has to find the home directory.
func (c *compiler) needsHome() bool { return !c.noHome && !c.hasEnv("HOME") }

// ready waits for what the runtime does while the process still has its privileges: it sets
// resource limits, which only the runtime may raise, puts the process into an Intel RDT class,
// and finds the home directory, which needs a parser for /etc/passwd.
func (c *compiler) ready() {
	if !c.needsRuntime() {
		return
	}
	if !c.needsHome() {
		if len(c.spec.Process.Rlimits) > 0 {
			c.note(stepRlimits, "process.rlimits", "set the resource limits", "")
		} else {
			c.note(stepBuilt, "", "say that the container is built", "")
		}
		c.sync(c.socket, protocol.PointReady)
		return
	}
	defer c.block()()
	tmp := c.take("tmp")
	c.home = c.Buffer("home", protocol.HomeSize)
	c.note(stepHome, "", "find the home directory", "")
	noPasswd, wait := c.Label(), c.Label()
	// The file is only pinned here: the runtime checks it before it reads it.
	c.Openat2(c.root, "etc/passwd", program.Lookup{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: inRoot}).Into(tmp).
		Allow(program.AnyError).Else(noPasswd)
	message := protocol.Sync(protocol.PointReady)
	c.SendFD(c.socket, message.Encode(), tmp.Arg())
	c.Close(tmp.Arg())
	c.Jump(wait)
	c.Bind(noPasswd)
	c.Send(c.socket, message)
	c.Bind(wait)
	c.receive(c.socket, c.home, protocol.HomeSize)
}

// oomScoreAdj sets how early the kernel kills the process when memory is short. It runs while the
// process still owns its files in /proc.
func (c *compiler) oomScoreAdj() {
	p := c.spec.Process
	if p == nil || p.OOMScoreAdj == nil {
		return
	}
	defer c.block()()
	tmp := c.take("tmp")
	value := strconv.Itoa(*p.OOMScoreAdj)
	note := func(refused string) program.Note {
		return program.Note{Step: stepOOMScoreAdj, What: "set process.oomScoreAdj", Property: "process.oomScoreAdj", Explain: func(e syscall.Errno) string {
			text := "set process.oomScoreAdj to " + value + ": " + e.Error()
			if e == unix.EACCES || e == unix.EPERM {
				text += refused
			}
			return text
		}}
	}
	c.Describe(note(""))
	//allow:path the host's /proc, before anything is mounted
	c.Openat(program.Cwd(), "/proc/self/oom_score_adj", unix.O_WRONLY|unix.O_CLOEXEC, 0).Into(tmp)
	c.Describe(note(" (to lower it takes CAP_SYS_RESOURCE)"))
	c.Write(tmp.Arg(), value)
	c.Close(tmp.Arg())
}

func (c *compiler) hasEnv(name string) bool {
	_, ok := c.env(name)
	return ok
}

// env returns the last value of a variable in the process's environment. An empty HOME counts as
// unset, as in other runtimes.
func (c *compiler) env(name string) (value string, ok bool) {
	value, ok = oci.Env(c.spec.Process.Env).Lookup(name)
	return value, ok && (value != "" || name != "HOME")
}

// dropDescriptors closes everything except the standard streams, the preserved descriptors and
// the sockets that are still needed. Close-on-exec would not be enough: execve looks up the
// command first, and the command's path could go through a descriptor.
func (c *compiler) dropDescriptors() {
	c.note(stepCloseSetup, "", "close all descriptors of the set-up", "")
	for i, open := range c.in.Preserved {
		if !open {
			// A placeholder, so that this number was not used otherwise.
			c.Close(program.FD(3 + i))
		}
	}
	if c.forksLast() {
		for _, place := range []int{c.keptCount, c.keptProcs, c.keptDir} {
			if !c.placesTaken[place] {
				c.Close(program.FD(place))
			}
		}
	}
	c.CloseFrom(program.FD(c.lastKept+1), ^uint32(0))
}

// noNewPrivileges comes before anything that the image can influence is executed.
func (c *compiler) noNewPrivileges() {
	if p := c.spec.Process; p != nil && p.NoNewPrivileges {
		c.note(stepNoNewPrivs, "process.noNewPrivileges", "set no_new_privs", "")
		c.Prctl(unix.PR_SET_NO_NEW_PRIVS, program.Int(1))
	}
}

// identity drops what the process must not have: capabilities, groups, the superuser's id. The
// order follows from the privileges that each step needs.
func (c *compiler) identity() {
	p := c.spec.Process
	if p == nil {
		return
	}
	defer c.block()()
	tmp := c.take("tmp")
	caps := c.capabilities()

	c.ownStdio()

	// Try as root first: images have working directories that their users could not enter.
	entered := c.Word("entered", 0)
	asUser, checked := c.Label(), c.Label()
	c.Describe(program.Note{Step: stepCwd, What: "enter the working directory", Object: p.Cwd, Property: "process.cwd", Explain: cwdError(p.Cwd)})
	c.openCwd(tmp).Allow(unix.EACCES, unix.EPERM).Else(asUser)
	c.Fchdir(tmp.Arg()).Allow(unix.EACCES, unix.EPERM).Else(asUser)
	c.Close(tmp.Arg())
	c.Set(entered, program.Int(1))
	c.Bind(asUser)

	c.note(stepBoundingSet, "process.capabilities.bounding", "drop capabilities from the bounding set", "")
	for n := range c.in.Host.LastCap + 1 {
		if caps.Bounding&(1<<n) == 0 {
			c.Prctl(unix.PR_CAPBSET_DROP, program.Int(n))
		}
	}
	c.setGroups()
	c.Prctl(unix.PR_SET_KEEPCAPS, program.Int(1))
	c.note(stepGroupID, "process.user.gid", "set the group id", strconv.FormatUint(uint64(p.User.GID), 10))
	c.explainUnmapped("it")
	c.Setresgid(p.User.GID)
	c.note(stepUserID, "process.user.uid", "set the user id", strconv.FormatUint(uint64(p.User.UID), 10))
	c.explainUnmapped("it")
	c.Setresuid(p.User.UID)
	c.Prctl(unix.PR_SET_KEEPCAPS, program.Int(0))

	c.Describe(program.Note{Step: stepCwd, What: "enter the working directory", Object: p.Cwd, Property: "process.cwd", Explain: cwdError(p.Cwd)})
	c.JumpIf(entered, ^uint32(0), 1, checked)
	c.openCwd(tmp)
	c.Fchdir(tmp.Arg())
	c.Close(tmp.Arg())
	c.Bind(checked)
	// However it was reached, the working directory must be in the container. The kernel returns
	// "(unreachable)" for a directory outside, and ENOENT for a removed one.
	cwd := c.Buffer("cwd", unix.PathMax)
	c.Getcwd(cwd, unix.PathMax)
	c.Check(program.Word(cwd), 0xff, '/', unix.ENOENT)

	c.note(stepCapabilities, "process.capabilities", "set the capabilities", "")
	c.caps = caps
	c.Capset(caps.Effective, caps.Permitted|c.keptForFilter(), caps.Inheritable)
	c.note(stepAmbient, "process.capabilities.ambient", "set the ambient capabilities", "")
	c.Prctl(unix.PR_CAP_AMBIENT, program.Int(unix.PR_CAP_AMBIENT_CLEAR_ALL))
	for n := range c.in.Host.LastCap + 1 {
		if caps.Ambient&(1<<n) != 0 {
			c.Prctl(unix.PR_CAP_AMBIENT, program.Int(unix.PR_CAP_AMBIENT_RAISE), program.Int(n))
		}
	}
	c.show()
}

func (c *compiler) openCwd(into program.Word) program.Op {
	//allow:path the container's own root by now; where it led is checked by getcwd
	return c.Openat2(program.Cwd(), c.spec.Process.Cwd, program.Lookup{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS,
	}).Into(into)
}

// capabilities returns the sets of the configuration without capabilities that cannot be granted,
// for which there are warnings (config.md#linux-process).
func (c *compiler) capabilities() bundle.Capabilities {
	caps := bundle.CapabilitiesOf(c.spec.Process.Capabilities)
	limit := func(name string, set *uint64, to uint64, why string) {
		if lost := *set &^ to; lost != 0 {
			c.warn("process.capabilities."+name, "%s cannot be granted: %s", bundle.CapabilityNames(lost), why)
			*set &= to
		}
	}
	const notOurs = "the runtime does not have them"
	ours := c.in.Host.Capabilities
	if c.privileged() {
		ours = 1<<(c.in.Host.LastCap+1) - 1
	}
	limit("bounding", &caps.Bounding, ours, notOurs)
	limit("permitted", &caps.Permitted, ours, notOurs)
	limit("effective", &caps.Effective, caps.Permitted, "they are not in the permitted set")
	limit("inheritable", &caps.Inheritable, ours, notOurs)
	limit("ambient", &caps.Ambient, caps.Permitted&caps.Inheritable, "they are not in the permitted and inheritable sets")
	return caps
}

// ownStdio makes the user the owner of the standard streams, so that the user can reopen them as
// /dev/stdout etc.: the terminal that was made for the process, pipes, sockets, and regular files
// that are open for writing. Files that are only read keep their owner, who does not expect to
// lose them. So do streams that others use: the caller's terminals, directories and other
// devices.
func (c *compiler) ownStdio() {
	uid := c.spec.Process.User.UID
	for fd := range 3 {
		c.ownStream(fd, uid, func(next program.Label) {
			if c.spec.Process.Terminal {
				return
			}
			chown := c.Label()
			c.JumpIf(c.stat.Mode(), unix.S_IFMT, unix.S_IFSOCK, chown)
			c.pickStream(fd, chown, next)
			c.Bind(chown)
		})
	}
}

// ownHostStreams makes the user the owner of the standard streams before the program enters the
// user namespace, in which root has no rights over them.
func (c *compiler) ownHostStreams() {
	p := c.spec.Process
	if p == nil || p.Terminal || !c.in.Host.can(unix.CAP_CHOWN) {
		return
	}
	uids, _ := c.mappings()
	uid, ok := uids.ToHost(p.User.UID)
	if !ok {
		return // the mappings are unknown
	}
	for fd := range 3 {
		c.ownStream(fd, uid, func(next program.Label) {
			chown := c.Label()
			c.pickStream(fd, chown, next)
			c.Bind(chown)
		})
	}
}

// pickStream continues with the next op for a regular file that is open for writing, and jumps
// for a pipe and for anything else.
func (c *compiler) pickStream(fd int, pipe, other program.Label) {
	c.JumpIf(c.stat.Mode(), unix.S_IFMT, unix.S_IFIFO, pipe)
	c.Check(c.stat.Mode(), unix.S_IFMT, unix.S_IFREG, 0).Else(other)
	c.GetFlags(program.FD(fd)).Into(c.got)
	c.JumpIf(c.got, unix.O_ACCMODE, unix.O_RDONLY, other)
}

// ownStream makes a user the owner of a standard stream, unless pick jumps to its argument.
func (c *compiler) ownStream(fd int, uid uint32, pick func(next program.Label)) {
	c.note(stepStreamOwner, "process.user.uid", "give the standard streams to user", strconv.FormatUint(uint64(uid), 10))
	next := c.Label()
	c.Statx(program.FD(fd), "", unix.AT_EMPTY_PATH, c.stat).Allow(program.AnyError).Else(next)
	c.JumpIf(c.stat.UID(), ^uint32(0), uid, next)
	pick(next)
	// Optional: not every file system or quota allows it. EINVAL: the owner is not mapped in the
	// user namespace.
	c.Fchownat(program.FD(fd), "", int64(uid), -1, unix.AT_EMPTY_PATH).
		Allow(unix.EPERM, unix.EROFS, unix.EINVAL, unix.EACCES, unix.EDQUOT, unix.EOPNOTSUPP, unix.EOVERFLOW)
	c.Bind(next)
}
