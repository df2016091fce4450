package compile

import (
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
)

// refusal is a place where the kernel may refuse to attach a tree.
type refusal struct {
	source    int         // the number of the source
	tree      program.Arg // its descriptor in the program
	from, try program.Label
}

// moveSource attaches a source by an op that move adds. source is its number, 0 for a tree that
// is not a source.
//
// A mount can pin a mount namespace (snapd has some in /run/snapd/ns). The kernel allows such a
// mount only in namespaces that are older than the pinned one, so that they cannot pin each other
// in a circle. A tree with such a mount cannot be attached in the new namespace of a container
// (ELOOP). When the kernel copies a whole mount namespace it leaves these mounts out, so the
// runtime is asked to take the tree from such a copy. For other trees nothing of this happens.
func (c *compiler) moveSource(source int, tree program.Arg, move func() program.Op) {
	if source == 0 {
		move()
		return
	}
	r := refusal{source, tree, c.Label(), c.Label()}
	c.Bind(r.try)
	move().Allow(unix.ELOOP).Else(r.from)
	c.refused = append(c.refused, r)
}

// replaceRefused replaces trees that the kernel has refused to attach, and tries again. The
// runtime replaces each tree only once, so that this ends.
func (c *compiler) replaceRefused() {
	if len(c.refused) == 0 {
		return
	}
	defer c.block()()
	c.Describe(program.Note{Step: stepTakeUnpinned, What: "take a source without the mount namespaces that are pinned in it"})
	ask, done := c.Label(), c.Label()
	place := c.Word("place", -1)
	c.newRequest()
	c.Jump(done)
	for _, r := range c.refused {
		c.Bind(r.from)
		c.Set(c.request.B(), program.Int(r.source))
		c.Set(place, r.tree)
		c.Jump(ask)
	}
	c.Bind(ask)
	c.Set(c.request.C(), program.Int(protocol.SourceApart))
	c.fetch()
	c.Dup3(c.request.FD().Arg(), place.Arg(), unix.O_CLOEXEC)
	c.Close(c.request.FD().Arg())
	for _, r := range c.refused {
		c.JumpIf(c.request.B(), ^uint32(0), uint32(r.source), r.try)
	}
	c.Fail(unix.ELOOP)
	c.Bind(done)
}

// fetchLater asks for the tree of a bind mount that is not open yet.
func (c *compiler) fetchLater(m *mount, p place) program.Arg {
	c.Describe(program.Note{Step: stepTakeSource, What: "take the source of the " + m.subject.Text(), Property: m.subject.Property, Index: m.subject.Index})
	m.source = c.laterSource(c.bindTree(m, p))
	if c.fetched == 0 {
		c.fetched = c.Word("fetched", -1)
	}
	c.newRequest()
	c.Set(c.request.B(), program.Int(m.source))
	c.Set(c.request.C(), program.Int(0))
	c.fetch()
	c.Set(c.fetched, c.request.FD().Arg())
	return c.fetched.Arg()
}

func (c *compiler) newRequest() {
	if c.request == (program.Request{}) {
		c.request = c.NewRequest("want", protocol.Sync(protocol.PointSource))
	}
}

// fetch sends the request and waits for its descriptor.
func (c *compiler) fetch() {
	answered := c.Label()
	c.SendRequest(c.socket, c.request).Into(c.got)
	c.Check(c.got, ^uint32(0), 0, 0).Else(answered)
	c.Exit(1)
	c.Bind(answered)
}
