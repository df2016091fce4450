package compile

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci/bundle"
)

func (c *compiler) propagation() string {
	if c.spec.Linux == nil {
		return ""
	}
	return c.spec.Linux.RootfsPropagation
}

// listens reports whether the options of a mount let mounts of its source appear in it.
func (m *mount) listens() bool {
	for _, p := range m.Propagation {
		if p&(unix.MS_SLAVE|unix.MS_SHARED) != 0 {
			return true
		}
	}
	return false
}

// propagatedLater reports whether the propagation of a mount has to wait: an unbindable
// one cannot be copied, which making parts of it read-only needs.
func (c *compiler) propagatedLater(m *mount) bool {
	if _, kept := c.kept[m.subject.Index]; !kept {
		return false
	}
	for _, p := range m.Propagation {
		if p&unix.MS_UNBINDABLE != 0 {
			return true
		}
	}
	return false
}

// propagateMounts gives mounts the propagation that had to wait.
func (c *compiler) propagateMounts() {
	for _, m := range c.list {
		if !m.isMount() || !c.propagatedLater(m) {
			continue
		}
		c.Describe(m.note())
		for _, p := range m.Propagation {
			c.propagate(c.kept[m.subject.Index], p)
		}
	}
}

// propagate sets the propagation of a mount, MS_SHARED or the like with or without MS_REC.
func (c *compiler) propagate(mnt program.Arg, p uint64) {
	flags := uint(unix.AT_EMPTY_PATH)
	if p&unix.MS_REC != 0 {
		flags |= unix.AT_RECURSIVE
	}
	c.MountSetattr(mnt, "", flags, 0, 0, p&^unix.MS_REC)
}

// propagateRoot gives the root the propagation of the configuration, with MS_REC also the
// mounts whose options have none.
//
// It comes after all that copies mounts of the container: unbindable ones could not
// be copied any more, and copies of shared ones would be their peers.
func (c *compiler) propagateRoot() {
	p := bundle.Propagation(c.propagation())
	if p == 0 || !c.ownMounts() {
		return
	}
	c.note(stepRootPropagation, "linux.rootfsPropagation", "make the propagation of the root", c.propagation())
	flags := uint(0)
	if p&unix.MS_REC != 0 && !c.contradicted(p) {
		flags = unix.AT_RECURSIVE
	}
	//allow:path the root of the container
	c.MountSetattr(program.Cwd(), "/", flags, 0, 0, p&^unix.MS_REC)
	for i := range c.list {
		if p, ok := c.withRoot[i]; ok {
			c.propagate(c.kept[i], p)
		}
	}
}

// contradicted reports whether the options of a mount want another propagation than it would get
// along with the root.
func (c *compiler) contradicted(p uint64) bool {
	for _, m := range c.list {
		if len(m.Propagation) == 0 {
			continue
		}
		switch own := m.Propagation[len(m.Propagation)-1] &^ unix.MS_REC; {
		case own == p&^unix.MS_REC:
		case own == unix.MS_PRIVATE && p&unix.MS_SLAVE != 0: // which changes nothing
		default:
			return true
		}
	}
	return false
}

// keepForRoot finds the mounts that get the propagation of the root one by one, for it would
// be wrong for others, and keeps them pinned. All mounts are made as slaves, or private ones,
// where the root is that, so this only concerns shared and unbindable ones. What was mounted
// in the rootfs before is left out.
func (c *compiler) keepForRoot() {
	p := bundle.Propagation(c.propagation())
	if p&unix.MS_REC == 0 || p&(unix.MS_SHARED|unix.MS_UNBINDABLE) == 0 || !c.contradicted(p) {
		return
	}
	c.withRoot = make(map[int]uint64)
	for i, m := range c.list {
		own, below := c.ownPropagation(i)
		if !m.isMount() || own {
			continue
		}
		c.withRoot[i] = p
		if below {
			c.withRoot[i] = p &^ unix.MS_REC
		}
		if _, kept := c.kept[i]; !kept {
			c.kept[i] = c.Word("kept"+strconv.Itoa(i), -1).Arg()
		}
	}
}

// ownPropagation reports whether an entry or a remount of it says something about propagation,
// and whether one for a mount below does.
func (c *compiler) ownPropagation(i int) (own, below bool) {
	dest := c.list[i].dest
	for _, m := range c.list[i:] {
		if len(m.Propagation) > 0 {
			own = own || m.dest == dest
			below = below || strings.HasPrefix(m.dest, dest+"/")
		}
	}
	return own, below
}
