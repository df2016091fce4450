package compile

import (
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci/bundle"
)

// openTree takes a tree of the host in the program itself, from the container's copy of
// the host's mounts. It does what [source.Tree] does on the host, for a runtime without
// privileges, whose own mounts these are not.
func (c *compiler) openTree(t source.Tree) program.Arg {
	n := program.Note{What: t.What, Pointer: t.Pointer}
	n.Explain = func(e syscall.Errno) string {
		reason := ""
		switch {
		case e == unix.EINVAL && !t.Recursive:
			reason = "in a user namespace a tree can only be taken with the mounts in it (rbind)"
		case e == unix.EPERM:
			reason = "what the host has forbidden for its mounts cannot be allowed without privileges"
		default:
			return ""
		}
		return n.Subject() + ": " + t.Path + ": " + e.Error() + ": " + reason
	}
	defer c.Restore(c.Describe(n))
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if t.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	c.trees++
	tree := c.Word("tree"+strconv.Itoa(c.trees), -1)
	//allow:path a path of the host that the caller has named, before the pivot
	c.OpenTree(program.Cwd(), t.Path, flags).Into(tree)
	if t.Node != (source.Node{}) {
		c.Statx(tree.Arg(), "", unix.AT_EMPTY_PATH, c.stat)
		c.Check(c.stat.Mode(), unix.S_IFMT, t.Node.Type, unix.ENODEV)
		c.Check(c.stat.RdevMajor(), ^uint32(0), unix.Major(t.Node.Dev), unix.ENODEV)
		c.Check(c.stat.RdevMinor(), ^uint32(0), unix.Minor(t.Node.Dev), unix.ENODEV)
	}
	for _, a := range t.Attrs {
		if a.IDMap != 0 {
			c.fail(t.Pointer, "%s: a mapping of ids needs privileges over the file system of the host", n.Subject())
			break
		}
		flags := uint(unix.AT_EMPTY_PATH)
		if a.Recursive {
			flags |= unix.AT_RECURSIVE
		}
		next := c.whenTimes(tree.Arg(), a.When)
		c.MountSetattr(tree.Arg(), "", flags, a.Set, a.Clear, a.Propagation)
		c.Bind(next)
	}
	return tree.Arg()
}

// whenTimes makes the ops up to the label that it returns depend on how a mount keeps access
// times.
func (c *compiler) whenTimes(mnt program.Arg, when bundle.AccessTimes) program.Label {
	next := c.Label()
	if when == bundle.AnyTimes {
		return next
	}
	c.Fstatfs(mnt, c.statfs)
	const flags = bundle.StatfsNoatime | bundle.StatfsRelatime
	switch when {
	case bundle.Noatime:
		c.Check(c.statfs.Flags(), bundle.StatfsNoatime, bundle.StatfsNoatime, 0).Else(next)
	case bundle.Relatime:
		c.Check(c.statfs.Flags(), flags, bundle.StatfsRelatime, 0).Else(next)
	case bundle.Strictatime:
		c.Check(c.statfs.Flags(), flags, 0, 0).Else(next)
	}
	return next
}
