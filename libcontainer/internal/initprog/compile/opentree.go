package compile

import (
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/oci/bundle"
)

// openTree copies a tree of the host in the program itself, from the container's copy of the
// host's mounts. It does what [source.Tree] does on the host, for a runtime without privileges
// over its mount namespace.
func (c *compiler) openTree(t source.Tree) program.Arg { return c.openTreeAt(t, t.Path) }

// openTreeAt is openTree with the path of the tree in the program: "" for the working directory.
func (c *compiler) openTreeAt(t source.Tree, at string) program.Arg {
	n := program.Note{Step: stepTakeTree, What: t.What, Property: t.Property, HostPath: t.Path}
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
	defer c.block()()
	c.Describe(n)
	flags := unix.OPEN_TREE_CLOEXEC | t.Flags()
	if at == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	tree := c.treeWord()
	if t.NoLinks {
		place := c.take("tmp")
		//allow:path a path of the host that the caller has named, before the pivot
		c.Openat2(program.Cwd(), at, program.Lookup{Flags: unix.O_CLOEXEC | t.LookupFlags(), Resolve: unix.RESOLVE_NO_SYMLINKS}).Into(place)
		c.OpenTree(place.Arg(), "", unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|flags).Into(tree)
		c.Close(place.Arg())
	} else {
		//allow:path the same
		c.OpenTree(program.Cwd(), at, flags).Into(tree)
	}
	if t.Node != (source.Node{}) {
		c.Statx(tree.Arg(), "", unix.AT_EMPTY_PATH, c.stat)
		c.Check(c.stat.Mode(), unix.S_IFMT, t.Node.Type, unix.ENODEV)
		c.Check(c.stat.RdevMajor(), ^uint32(0), unix.Major(t.Node.Dev), unix.ENODEV)
		c.Check(c.stat.RdevMinor(), ^uint32(0), unix.Minor(t.Node.Dev), unix.ENODEV)
	}
	for _, a := range t.Attrs {
		if a.IDMap != 0 {
			c.fail(t.Property, "%s: a mapping of ids needs privileges over the file system of the host", n.Subject())
		}
	}
	c.treeAttrs(tree.Arg(), t.Attrs, n)
	return tree.Arg()
}

// treeWord returns a word for another tree that the program opens.
func (c *compiler) treeWord() program.Word {
	c.trees++
	return c.Word("tree"+strconv.Itoa(c.trees), -1)
}

// treeAttrs changes a tree that the program has opened.
func (c *compiler) treeAttrs(tree program.Arg, attrs []source.Attr, n program.Note) {
	for _, a := range attrs {
		flags := uint(unix.AT_EMPTY_PATH)
		if a.Recursive {
			flags |= unix.AT_RECURSIVE
		}
		if a.IDMap != 0 {
			mapped := n
			mapped.Explain = func(e syscall.Errno) string { return n.Subject() + ": " + a.Hint(e).Error() }
			c.step(mapped, func() { c.MountIDMap(tree, flags, a.IDMap) })
			continue
		}
		if a.Lockable {
			c.changeAttr(tree, bundle.MountAttr{Set: a.Set, Clear: a.Clear, Recursive: a.Recursive, When: a.When}, n.Subject())
			continue
		}
		c.MountSetattr(tree, "", flags, a.Set, a.Clear, a.Propagation)
	}
}

// changeAttr changes attributes of a mount as the options say. Attributes that the host has
// locked stay, with a warning, because engines always pass "rw" and the like.
func (c *compiler) changeAttr(mnt program.Arg, a bundle.MountAttr, subject string) {
	flags := uint(unix.AT_EMPTY_PATH)
	if a.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	done := c.whenTimes(mnt, a.When)
	defer c.Bind(done)
	change := c.MountSetattr(mnt, "", flags, a.Set, a.Clear, 0)
	parts := a.Parts()
	if !c.privileged() && !c.in.Host.Nested || len(parts) == 0 || len(parts) == 1 && parts[0].Locked() == "" {
		return
	}
	refused := c.Label()
	change.Allow(unix.EPERM).Else(refused)
	c.Jump(done)
	c.Bind(refused)
	for _, part := range parts {
		keeps := part.Locked()
		if keeps == "" {
			c.MountSetattr(mnt, "", flags, part.Set, part.Clear, 0)
			continue
		}
		locked, next := c.Label(), c.Label()
		if len(parts) > 1 {
			c.MountSetattr(mnt, "", flags, part.Set, part.Clear, 0).Allow(unix.EPERM).Else(locked)
			c.Jump(next)
		}
		c.Bind(locked)
		c.notice(bundle.LockedText(subject, keeps))
		c.Bind(next)
	}
}

// notice sends a warning about something that the program has found.
func (c *compiler) notice(text string) {
	c.Send(c.socket, protocol.Notice(len(c.out.Notices)))
	c.out.Notices = append(c.out.Notices, text)
}

// whenTimes makes the ops up to the returned label conditional on how a mount updates access
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
