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

// listens reports whether mounts of the source appear in the mount.
func (m *mount) listens() bool {
	for _, p := range m.Propagation {
		if p&(unix.MS_SLAVE|unix.MS_SHARED) != 0 {
			return true
		}
	}
	return false
}

// propagatedLater reports whether the propagation of a mount has to be set later: an unbindable
// mount cannot be copied, which is needed to make parts of it read-only.
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

// propagateMounts sets the propagation that had to be set later.
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

// propagate sets the propagation of a mount, MS_SHARED etc. with or without MS_REC.
func (c *compiler) propagate(mnt program.Arg, p uint64) {
	flags := uint(unix.AT_EMPTY_PATH)
	if p&unix.MS_REC != 0 {
		flags |= unix.AT_RECURSIVE
	}
	c.MountSetattr(mnt, "", flags, 0, 0, p&^unix.MS_REC)
}

// propagateRoot sets the configured propagation of the root and, with MS_REC, of mounts without
// such an option.
//
// It comes after all copies of the container's mounts: unbindable mounts could no longer be
// copied, and copies of shared mounts would be their peers.
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

// contradicted reports whether the options of a mount set a propagation other than the root's.
func (c *compiler) contradicted(p uint64) bool {
	for _, m := range c.list {
		if len(m.Propagation) == 0 {
			continue
		}
		switch own := m.Propagation[len(m.Propagation)-1] &^ unix.MS_REC; {
		case own == p&^unix.MS_REC:
		case own == unix.MS_PRIVATE && p&unix.MS_SLAVE != 0: // has no effect
		default:
			return true
		}
	}
	return false
}

// keepForRoot finds the mounts that have to get the root's propagation one by one, because others
// below must not get it, and keeps them pinned. All mounts are created as slave or private when
// the root is, so this only concerns shared and unbindable. Mounts that were in the rootfs before
// are left out.
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

// ownPropagation reports whether an entry, or a remount of it, sets the propagation, and whether
// one for a mount below does.
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
