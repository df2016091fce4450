package compile

import (
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
)

// fillTmpfs copies to a tmpfs what it takes from its mount point: the mode, unless the options
// set it, and with tmpcopyup the contents and the owner. A missing mount point has none of these;
// other errors are reported when the mount is attached.
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
		// Trees have any depth, and a program has no loop to walk them.
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
