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

// Where a path lies is decided by the configuration: in the last mount whose destination it is
// below, or in the rootfs. What is made or removed for a path has to be in that mount.
//
// Attacker: the image, whose links lead from one mount into another, and whoever exchanges the
// mount points in a rootfs that they share. What the runtime would make there, as root, with a
// name of their choice, can be in a directory of the host: a volume.
//
// The kernel gives each mount a number, which the program keeps of those that it makes. It makes
// something only where the number is that of the right mount, which is nearly always so. Anything
// else is for the runtime, which walks the path step by step (hostfs.Territory).

// Place is a mount that a program has made.
type Place struct {
	// Index is that in mounts, -1 for the rootfs.
	Index int
	Dest  string
	// Own reports whether what is in it is the container's alone: the rootfs, or a file system
	// that is new and in memory.
	Own bool
}

// numbered are the mounts whose numbers the program keeps.
type numbered struct {
	places []Place
	word   map[int]program.Word // by the index in mounts, -1 for the rootfs
}

// keepNumber keeps the number of a mount that has been made.
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

// placeOf is an entry of mounts as a place.
func placeOf(m *mount) Place {
	return Place{Index: m.subject.Index, Dest: m.dest, Own: !m.Bind && (m.Type == "tmpfs" || m.Type == "ramfs")}
}

// liesIn is the index of the mount that a path lies in, of those that have been made so far; -1
// for the rootfs.
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

// checkMount goes on when a descriptor lies in the mount with this index, and at another place
// otherwise.
func (c *compiler) checkMount(fd program.Arg, in int, otherwise program.Label) {
	c.StatxMountNumber(fd, c.stat)
	c.CheckSame(c.stat.MountID(), c.numbers.word[in], unix.EXDEV).Else(otherwise)
}

// askPlace has the runtime find out whether something may be done in a mount that a path may
// not lie in: what is about is as for [protocol.PointMakeDir].
func (c *compiler) askPlace(fd program.Arg, in int, about uint32) {
	elsewhere, done := c.Label(), c.Label()
	c.checkMount(fd, in, elsewhere)
	c.Jump(done)
	c.Bind(elsewhere)
	c.askAt(protocol.PointPlace, about, c.stat.MountID().Arg())
	c.Bind(done)
}

// ask is what the program asks the runtime about places.
type ask struct {
	message, told program.FDMessage
	answered      program.Word // where it goes on
	from          []program.Label
	label         program.Label
}

// askAt asks the runtime for something that is about an entry of mounts, or as
// [protocol.PointMakeDir] has it.
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

// answerAsks is where all places go on that ask the runtime. The runtime is told the numbers of the
// mounts before, each once.
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

// spreads reports whether a mount of this program may be shared with one of somebody else, so
// that what is mounted in it appears there as well.
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

// checkSpread has the runtime find out whether something may be mounted at a pinned place, where
// it could appear on the host.
func (c *compiler) checkSpread(fd program.Arg, p string, about uint32) {
	if c.spread {
		c.askPlace(fd, c.liesIn(p), about)
	}
}

// elsewhere explains that something would have been made in another mount than it belongs to.
func elsewhere(e syscall.Errno) string {
	if e == unix.EXDEV {
		return "it would be made in another mount than its path lies in: somebody is changing the rootfs"
	}
	return ""
}
