package compile

import (
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
)

// isMount reports whether an entry of mounts makes a mount.
func (m *mount) isMount() bool { return !m.Remount && m.link == "" }

// sourcePath is the path of the source of a bind mount.
func (c *compiler) sourcePath(m *mount) string {
	if filepath.IsAbs(m.Source) {
		return m.Source
	}
	return filepath.Join(c.in.Bundle.Path, m.Source) // config.md#mounts
}

// readlink returns the target of a symbolic link on the host. It is empty for anything else.
func (c *compiler) readlink(p string) string {
	if c.in.Host.Readlink == nil {
		return ""
	}
	target, _ := c.in.Host.Readlink(p)
	return target
}

// linkPlace returns the place of a source that is a symbolic link itself; ok is false for
// anything else.
func (c *compiler) linkPlace(m *mount, src string) (p place, ok bool) {
	if c.readlink(src) == "" {
		return place{}, false
	}
	if rel, ok := c.follow(m, path.Dir(src)); ok {
		return place{path: path.Join(rel, path.Base(src)), inside: true}, true
	}
	return place{path: src}, true
}

// readLink finds out whether an entry copies a symbolic link. Errors of the source are reported
// when it is mounted.
//
// Attacker: the image. The targets of its links are known only in the container, so none of them
// is read by a path of the host.
func (c *compiler) readLink(m *mount) {
	src := c.sourcePath(m)
	target := c.readlink(src)
	if target == "" {
		return
	}
	if p, _ := c.linkPlace(m, src); p.inside {
		c.fail(m.subject.Where(), "%s: a symbolic link of the rootfs cannot be copied", m.subject.Subject())
		return
	}
	m.link = target
	m.subject.What = "copy of the symbolic link"
	if c.out.Links == nil {
		c.out.Links = make(map[int]string)
	}
	c.out.Links[m.subject.Index] = target
}

// copyLink creates a symbolic link like the source. Its directory is pinned; the runtime creates
// what is missing of it, and checks what exists already.
func (c *compiler) copyLink(m *mount) {
	defer c.block()()
	target := c.take("target")
	c.Describe(m.notePoint())
	rel := relative(m.dest)
	ask, done := c.Label(), c.Label()
	parent := c.root
	if dir := path.Dir(rel); dir != "." {
		how := program.Lookup{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: inRoot}
		c.Openat2(c.root, dir, how).Into(target).Allow(unix.ENOENT, unix.EACCES).Else(ask)
		parent = target.Arg()
	}
	if parent != c.root || c.liesIn(path.Dir(m.dest)) >= 0 {
		c.checkMount(parent, c.liesIn(path.Dir(m.dest)), ask)
	}
	c.Symlinkat(m.link, parent, path.Base(rel)).Allow(unix.EEXIST, unix.EACCES, unix.EPERM, unix.EOVERFLOW).Else(ask)
	c.Jump(done)
	c.Bind(ask)
	c.askAt(protocol.PointMakeLink, uint32(m.subject.Index), program.Int(0))
	c.Bind(done)
	if parent != c.root {
		c.Close(parent)
	}
}
