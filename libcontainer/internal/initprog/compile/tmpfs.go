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
	if m.CopyUp {
		// The copy is the container's, and its limits have to be in force.
		c.joinCgroup()
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
		c.takeOrders(m)
	} else {
		c.Statx(target.Arg(), "", unix.AT_EMPTY_PATH, c.stat)
		c.Openat(mnt, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into(tmp)
		c.Fchmod(tmp.Arg(), c.stat.Mode().Arg())
		c.Close(tmp.Arg())
	}
	c.Close(target.Arg())
	c.Bind(next)
}

// takeOrders makes files as the runtime says, until that has no more orders. Trees have any depth,
// and a program cannot walk them. But what it writes is charged to its cgroups.
//
// Attacker: the image, whose files could fill the memory of the host.
func (c *compiler) takeOrders(m *mount) {
	defer c.Restore(c.Describe(program.Note{Step: stepCopyUp, What: "copy into the tmpfs", At: m.dest, Property: m.subject.Property, Index: m.subject.Index}))
	if c.orders == (program.Orders{}) {
		c.orders, c.copyTo = c.NewOrders("order"), c.Word("copyto", -1)
	}
	o := c.orders
	again, taken, report, done := c.Label(), c.Label(), c.Label(), c.Label()
	c.Bind(again)
	c.Take(c.socket, o).Into(c.got)
	c.Check(c.got, ^uint32(0), 0, 0).Else(taken)
	c.Exit(1)
	c.Bind(taken)
	c.JumpIf(o.What(), ^uint32(0), uint32(protocol.OrderEnd), done)
	for _, order := range []struct {
		kind protocol.OrderKind
		do   func()
	}{
		{protocol.OrderMakeDir, func() { c.MakeDir(o) }},
		{protocol.OrderMakeNode, func() { c.MakeNode(o) }},
		{protocol.OrderMakeLink, func() { c.MakeLink(o) }},
		{protocol.OrderCopy, func() { c.Sendfile(c.copyTo, o) }},
	} {
		next := c.Label()
		c.Check(o.What(), ^uint32(0), uint32(order.kind), 0).Else(next)
		order.do()
		c.Jump(report)
		c.Bind(next)
	}
	// What is left is protocol.OrderTo.
	c.Close(c.copyTo.Arg())
	c.Set(c.copyTo, o.FD().Arg())
	c.Jump(again)
	c.Bind(report)
	c.Close(o.FD().Arg())
	c.Report(c.socket, o)
	c.Jump(again)
	c.Bind(done)
	c.Close(c.copyTo.Arg())
	c.Set(c.copyTo, program.Int(-1))
}
