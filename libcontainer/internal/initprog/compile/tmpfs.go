package compile

import (
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
)

// fillTmpfs gives a tmpfs what it takes over from its mount point: the mode, unless the
// options have one, and with tmpcopyup the contents and the owner. A mount point that is
// missing has none of that; what else is wrong with it shows when the mount is attached.
func (c *compiler) fillTmpfs(m *mount, mnt program.Arg) {
	takes := protocol.TakesMode | protocol.TakesUID | protocol.TakesGID
	for _, p := range m.Params {
		switch p.Key {
		case "mode":
			takes &^= protocol.TakesMode
		case "uid":
			takes &^= protocol.TakesUID
		case "gid":
			takes &^= protocol.TakesGID
		}
	}
	if takes&protocol.TakesMode == 0 && !m.CopyUp {
		return
	}
	defer c.block()()
	target, tmp := c.take("target"), c.take("tmp")
	c.Describe(m.notePoint())
	next := c.Label()
	c.Openat2(c.root, relative(m.dest), program.Lookup{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: inRoot}).
		Into(target).Allow(unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.EACCES).Else(next)
	if m.CopyUp {
		// Trees have any depth; a program has no loop that could walk them.
		c.SendFD(c.socket, protocol.ValueOf(protocol.ValueCopyFrom).Encode(), target.Arg())
		c.SendFD(c.socket, protocol.CopyUp(m.subject.Index, takes).Encode(), mnt)
		c.receive(c.socket, c.reply, protocol.MessageSize)
	} else {
		c.Statx(target.Arg(), "", unix.AT_EMPTY_PATH, c.stat)
		c.Openat(mnt, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into(tmp)
		c.Fchmod(tmp.Arg(), c.stat.Mode().Arg())
		c.Close(tmp.Arg())
	}
	c.Close(target.Arg())
	c.Bind(next)
}
