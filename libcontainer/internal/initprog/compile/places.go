package compile

import (
	"path"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/oci/bundle"
)

// The configuration determines where a path lies: in the last mount whose destination it is
// below, or in the rootfs. What is created or removed for a path has to be in that mount.
//
// Attacker: the image, whose links lead from one mount into another, and any process that
// exchanges the mount points in a shared rootfs. What the runtime would create there, as root and
// with a name that they choose, could be in a directory of the host: a volume.
//
// The kernel gives each mount a number, which the program stores for the mounts that it makes. It
// creates something only if the number is that of the right mount, which is almost always the
// case. Otherwise it asks the runtime, which resolves the path step by step (hostfs.Territory).

// Place is a mount that a program has made.
type Place struct {
	// Index is the index in mounts, -1 for the rootfs.
	Index int
	Dest  string
	// Own reports whether only the container has its content: the rootfs, or a new file system in
	// memory.
	Own bool
}

// numbered are the mounts whose numbers the program stores.
type numbered struct {
	places []Place
	word   map[int]program.Word // by the index in mounts, -1 for the rootfs
}

// keepNumber stores the number of a mount that was made.
func (c *compiler) keepNumber(p Place, mnt program.Arg) {
	if c.numbers.word == nil {
		c.numbers.word = make(map[int]program.Word, len(c.list)+1)
	}
	name := "rootfs"
	if p.Index >= 0 {
		name = strconv.Itoa(p.Index)
	}
	w := c.Word("number of "+name, 0)
	c.numbers.word[p.Index], c.numbers.places = w, append(c.numbers.places, p)
	c.StatxMountNumber(mnt, c.stat)
	c.Set(w, c.stat.MountID().Arg())
}

// placeOf returns an entry of mounts as a place.
func placeOf(m *mount) Place {
	return Place{Index: m.subject.Index, Dest: m.dest, Own: !m.Bind && (m.Type == "tmpfs" || m.Type == "ramfs")}
}

// liesIn returns the index of the mount, among those made so far, in which a path lies; -1 for
// the rootfs.
func (c *compiler) liesIn(p string) int {
	p = path.Clean("/" + p)
	for {
		if m := c.at[p]; m != nil {
			if _, ok := c.numbers.word[m.subject.Index]; ok {
				return m.subject.Index
			}
		}
		if p == "/" {
			return -1
		}
		p = path.Dir(p)
	}
}

// checkMount continues with the next op when a descriptor lies in the mount with this index, and
// jumps to otherwise if not.
func (c *compiler) checkMount(fd program.Arg, in int, otherwise program.Label) {
	c.StatxMountNumber(fd, c.stat)
	c.CheckSame(c.stat.MountID(), c.numbers.word[in], unix.EXDEV).Else(otherwise)
}

// askPlace asks the runtime whether something may be done in a mount in which the path may not
// lie. about is as in [protocol.PointMakeDir].
func (c *compiler) askPlace(fd program.Arg, in int, about uint32) {
	elsewhere, done := c.Label(), c.Label()
	c.checkMount(fd, in, elsewhere)
	c.Jump(done)
	c.Bind(elsewhere)
	c.askAt(protocol.PointPlace, about, c.stat.MountID().Arg())
	c.Bind(done)
}

// ask has the requests to the runtime about places.
type ask struct {
	message, told program.FDMessage
	answered      program.Word // where it continues
	from          []program.Label
	label         program.Label
}

// askAt asks the runtime for something at an entry of mounts. about is as in
// [protocol.PointMakeDir].
func (c *compiler) askAt(point protocol.Point, about uint32, with program.Arg) {
	a := &c.ask
	if a.from == nil {
		a.message, a.told = c.NewFDMessage("ask", protocol.KindSync), c.NewFDMessage("tell", protocol.KindValue)
		a.answered, a.label = c.Word("answered", 0), c.Label()
	}
	c.Set(a.message.A(), program.Int(point))
	c.Set(a.message.B(), program.Int(about))
	c.Set(a.message.C(), with)
	c.Set(a.answered, program.Int(len(a.from)))
	back := c.Label()
	a.from = append(a.from, back)
	c.Jump(a.label)
	c.Bind(back)
}

// answerAsks is the shared code of all requests to the runtime. It first sends the numbers of the
// mounts, each once.
func (c *compiler) answerAsks() {
	a := &c.ask
	if a.from == nil {
		return
	}
	defer c.Restore(c.Describe(program.Note{Step: stepAskPlace, What: "ask the runtime about a place"}))
	done, known := c.Label(), c.Label()
	c.Jump(done)
	c.Bind(a.label)
	told := c.Word("told", 0)
	c.Set(a.told.A(), program.Int(protocol.ValueMount))
	for i, p := range c.numbers.places {
		next := c.Label()
		c.Check(told, ^uint32(0), uint32(i), 0).Else(next)
		c.JumpIf(c.numbers.word[p.Index], ^uint32(0), 0, known)
		c.Set(a.told.B(), program.Int(i))
		c.Set(a.told.C(), c.numbers.word[p.Index].Arg())
		c.SendFDMessage(c.socket, a.told, c.root)
		c.Add(told, 1)
		c.Bind(next)
	}
	c.Bind(known)
	c.SendFDMessage(c.socket, a.message, c.root)
	c.receive(c.socket, c.reply, protocol.MessageSize)
	for i, back := range a.from {
		c.JumpIf(a.answered, ^uint32(0), uint32(i), back)
	}
	c.Fail(unix.EINVAL)
	c.Bind(done)
	c.out.Places = c.numbers.places
}

// spreads reports whether a mount of this program may share propagation with a mount of others,
// so that mounts in it appear there as well.
func (c *compiler) spreads() bool {
	if !c.ownMounts() || bundle.Propagation(c.propagation())&unix.MS_SHARED != 0 {
		return true
	}
	for _, m := range c.list {
		for _, p := range m.Propagation {
			if p&unix.MS_SHARED != 0 {
				return true
			}
		}
	}
	return false
}

// checkSpread asks the runtime whether something may be mounted at a pinned place, where it could
// appear on the host.
func (c *compiler) checkSpread(fd program.Arg, p string, about uint32) {
	if c.spread {
		c.askPlace(fd, c.liesIn(p), about)
	}
}

// elsewhere explains that something would have been created in the wrong mount.
func elsewhere(e syscall.Errno) string {
	if e == unix.EXDEV {
		return "it would be made in another mount than its path lies in: somebody is changing the rootfs"
	}
	return ""
}
