package compile

import (
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
)

// The kernel's numbers for the nodes of a devpts.
const (
	ptmxMajor, ptmxMinor = 5, 2
	ptmxInode            = 2
)

// terminal creates a terminal in the container's own devpts, sends its master to the runtime's
// caller, and makes it standard input, output and error, the controlling terminal and, for the
// first process, /dev/console.
//
// Attacker: the image may have anything at /dev/pts, /dev/ptmx and /dev/console. The program
// opens only a ptmx that the kernel made in a devpts, gets the slave from the master itself and
// not from a path, and does not follow /dev/console.
func (c *compiler) terminal(withConsole bool) {
	p := c.spec.Process
	if p == nil || !p.Terminal {
		return
	}
	const pointer = "process.terminal"
	noDevpts := func(e syscall.Errno) string {
		text := "make the terminal (" + pointer + "): /dev/pts of the container is not a devpts that can be used (" + e.Error() + ")"
		switch {
		case e == unix.ENOSPC:
			return "make the terminal (" + pointer + "): " + e.Error() + " (there are as many as /proc/sys/kernel/pty or the option max of the devpts allows)"
		case !slices.ContainsFunc(c.list, func(m *mount) bool { return m.dest == "/dev/pts" || m.dest == "/dev" && m.Bind }):
			return text + "; it is not in mounts"
		}
		return text
	}
	defer c.block()()
	dir := c.take("dir")
	master, slave := c.Word("master", -1), c.Word("slave", -1)

	c.Describe(program.Note{Step: stepOpenTerminal, What: "open the terminal", Property: pointer, Explain: noDevpts})
	c.Openat2(c.root, "dev/pts", program.Lookup{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: inRootNoLinks}).Into(dir)
	c.Fstatfs(dir.Arg(), c.statfs)
	c.CheckFilesystem(c.statfs, unix.DEVPTS_SUPER_MAGIC, unix.ENODEV)
	c.Openat2(dir.Arg(), "ptmx", program.Lookup{
		Flags:   unix.O_RDWR | unix.O_NOCTTY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS,
	}).Into(master)
	c.Statx(master.Arg(), "", unix.AT_EMPTY_PATH, c.stat)
	c.Check(c.stat.Mode(), unix.S_IFMT, unix.S_IFCHR, unix.ENODEV)
	c.Check(c.stat.Ino(), ^uint32(0), ptmxInode, unix.ENODEV)
	c.Check(c.stat.RdevMajor(), ^uint32(0), ptmxMajor, unix.ENODEV)
	c.Check(c.stat.RdevMinor(), ^uint32(0), ptmxMinor, unix.ENODEV)
	c.Close(dir.Arg())

	c.note(stepOpenSlave, pointer, "open the slave of the terminal", "")
	c.Ioctl(master.Arg(), unix.TIOCSPTLCK, c.Struct64(0))
	c.Ioctl(master.Arg(), unix.TIOCGPTPEER, program.OpenFlags(unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)).Into(slave)
	if s := p.ConsoleSize; s != nil && (s.Height != 0 || s.Width != 0) {
		c.note(stepConsoleSize, "process.consoleSize", "set the size of the terminal", "")
		c.Ioctl(master.Arg(), unix.TIOCSWINSZ, c.Struct64(uint64(s.Height)|uint64(s.Width)<<16))
	}

	if withConsole && c.ownMounts() {
		c.console(slave)
	}

	c.note(stepHandOverTerminal, pointer, "hand over the terminal", "")
	c.SendFD(c.consoleSocket, []byte("/dev/ptmx\x00"), master.Arg())
	c.Close(c.consoleSocket)
	c.Close(master.Arg())

	c.note(stepHandOverTerminal, pointer, "make the terminal the standard streams", "")
	for fd := range 3 {
		//allow:cloexec the standard streams are for the command
		c.Dup3(slave.Arg(), program.FD(fd), 0)
	}
	c.Close(slave.Arg())
	if !c.forksLast() {
		c.controllingTerminal()
	}
}

// controllingTerminal makes the terminal the controlling one of the session, which the process
// has to lead.
func (c *compiler) controllingTerminal() {
	if p := c.spec.Process; p != nil && p.Terminal {
		c.note(stepControllingTerminal, "process.terminal", "make the terminal the controlling one", "")
		c.Ioctl(program.FD(0), unix.TIOCSCTTY, program.Int(0))
	}
}

// console mounts the terminal at /dev/console.
func (c *compiler) console(slave program.Word) {
	defer c.block()()
	dir, target, mnt := c.take("dir"), c.take("target"), c.take("mnt")
	var dev program.Arg
	if c.hostDev() {
		// The host's console must exist to be covered; nothing is created in the host's /dev.
		c.note(stepFindConsole, "process.terminal", "find /dev/console", "")
		c.Openat2(c.root, "dev", program.Lookup{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: inRootNoLinks}).Into(dir)
		dev = dir.Arg()
	} else {
		dev = c.dev()
		c.note(stepMakeConsole, "process.terminal", "make /dev/console", "")
		c.Openat(dev, "console", unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_RDONLY, 0o600).Into(target).Allow(unix.EEXIST)
	}
	c.note(stepCoverConsole, "process.terminal", "cover /dev/console", "")
	// Open it again, whether it is new or not, with O_PATH, so that a device or FIFO of the image
	// is not touched.
	c.Openat(dev, "console", unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0).Into(target)
	c.Statx(target.Arg(), "", unix.AT_EMPTY_PATH, c.stat)
	notLink := c.Label()
	c.Check(c.stat.Mode(), unix.S_IFMT, unix.S_IFLNK, 0).Else(notLink)
	c.Fail(unix.ELOOP)
	c.Bind(notLink)
	c.OpenTree(slave.Arg(), "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH).Into(mnt)
	c.MoveMount(mnt.Arg(), target.Arg())
	c.Close(mnt.Arg())
	c.Close(target.Arg())
	if c.hostDev() {
		c.Close(dev)
	}
}
