package compile

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
)

// Found is what there is at a path of the host.
type Found struct {
	Dir bool
	// Dev is the file system.
	Dev uint64
}

// place is where the source of a bind mount is: at a path of the host or, inside, at one
// below the rootfs.
type place struct {
	path   string
	inside bool
	dir    bool // for a path of the host: whether it is a directory
}

// place finds out where the source of a bind mount is.
//
// One in the rootfs means what is there at its place in the list, with all mounts that come
// before it (config.md#mounts). Only the program knows that. A path that leads into the
// rootfs by a link of the host is followed up to there; that takes a while, so it is only
// done when the file system is that of the rootfs, or nothing is there yet.
func (c *compiler) place(m *mount) place {
	src := c.sourcePath(m)
	if rel, ok := below(c.in.Bundle.Rootfs, src); ok {
		return place{path: rel, inside: true}
	}
	if m.SourceNoFollow {
		if p, ok := c.linkPlace(src); ok {
			return p
		}
	}
	found, err := c.in.Host.Look(src)
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
		c.failSource(m, err)
		return place{}
	}
	if c.in.Host.Follow != nil && (err != nil || found.Dev == c.rootfsDev()) {
		if rel, ok := c.in.Host.Follow(src, c.in.Bundle.Rootfs); ok {
			return place{path: rel, inside: true}
		}
	}
	if err != nil {
		c.failSource(m, err)
	}
	return place{path: src, dir: found.Dir}
}

// below is the rest of a path that lies in a directory: "" for the directory itself. One
// with ".." in it need not lie where it seems to.
func below(dir, p string) (rel string, ok bool) {
	//allow:prefix the end of the component is looked at, too
	rest, ok := strings.CutPrefix(p, dir)
	if !ok || rest != "" && rest[0] != '/' || strings.Contains(rest, "..") {
		return "", false
	}
	return relative(rest), true
}

// rootfsDev is the file system of the rootfs.
func (c *compiler) rootfsDev() uint64 {
	if c.rootDev == 0 {
		found, err := c.in.Host.Look(c.in.Bundle.Rootfs)
		if err != nil {
			c.fail("root.path", "rootfs (root.path): %w", err)
		}
		c.rootDev = found.Dev
	}
	return c.rootDev
}

// failSource tells that the source of a bind mount cannot be used.
func (c *compiler) failSource(m *mount, err error) {
	hint := ""
	switch {
	case !errors.Is(err, unix.ENOENT):
	case c.readlink(c.sourcePath(m)) != "":
		hint = fmt.Sprintf(" (it is a symbolic link to %q)", c.readlink(c.sourcePath(m)))
	case filepath.IsAbs(m.Source):
		hint = " (the source of a bind mount has to exist)"
	default:
		hint = " (the source of a bind mount has to exist; it is relative to the bundle)"
	}
	c.fail(m.subject.Where(), "%s: source: %w%s", m.subject.Subject(), err, hint)
}

// bindTree is the tree of a bind mount of the host.
func (c *compiler) bindTree(m *mount, p place) source.Tree {
	return source.Tree{What: m.subject.Text(), Property: m.subject.Where(), Path: p.path, NoFollow: m.SourceNoFollow, Recursive: m.Recursive, Attrs: c.bindAttrs(m, c.later)}
}

// bindSource gets the tree of a bind mount.
func (c *compiler) bindSource(m *mount, p place) program.Arg {
	switch {
	case m.early != (program.Arg{}):
		return m.early
	case c.later:
		return c.fetchLater(m, p)
	}
	return c.tree(c.bindTree(m, p), &m.source)
}

// openAround opens trees that have the place in them to which the rootfs is attached, at
// the given path, while it is not there yet: they would show the container instead of what
// the host has there. It concerns what the program opens itself; the runtime opens trees of
// the host as it sees them.
func (c *compiler) openAround(at string) {
	if !c.in.Host.OpensNothing {
		return
	}
	for _, m := range c.list {
		if !m.Bind || !m.isMount() || !m.Recursive {
			continue
		}
		p := c.place(m)
		if p.inside {
			continue
		}
		real := p.path
		if c.in.Host.Real != nil {
			real = c.in.Host.Real(p.path)
		}
		if _, ok := below(strings.TrimSuffix(path.Clean(real), "/"), at); ok {
			m.early = c.openTree(c.bindTree(m, p))
		}
	}
}

// bindInside mounts a part of the container's own tree as it is by now.
//
// Attacker: the image, and whoever changes the rootfs. The path is walked like each path of
// the container: a link leads to another place in it, never to the host, and a link of
// procfs to an open file is not followed. What was found is pinned, and nothing is looked up
// again. So the mount can show nothing that the container would not see anyway. (With
// mount(2), before the pivot, the same path leads to wherever the image wants on the host.)
func (c *compiler) bindInside(m *mount, p place) {
	from := program.Note{What: "source of the " + m.subject.Text(), Property: m.subject.Property, Index: m.subject.Index}
	from.Explain = func(e syscall.Errno) string {
		reason := ""
		switch e {
		case unix.ENOENT, unix.ENOTDIR:
			reason = " (it is in the rootfs, where neither the image nor an earlier mount has it)"
		case unix.ELOOP:
			reason = " (it is in the rootfs, and leads through a link of procfs to an open file, or through too many links)"
		case unix.EINVAL:
			reason = " (it is in the rootfs, and an unbindable mount, or has mounts below it that only rbind can take)"
		default:
			return ""
		}
		return m.subject.Subject() + ": source: " + e.Error() + reason
	}
	c.Describe(from)
	tree := c.treeWord()
	how := program.Lookup{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: inRoot}
	if m.SourceNoFollow {
		how.Flags |= unix.O_NOFOLLOW
	}
	c.Openat2(c.root, rootOr(p.path), how).Into(c.target)
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH)
	if m.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	c.OpenTree(c.target.Arg(), "", flags).Into(tree)
	c.Close(c.target.Arg())
	c.Describe(m.note())
	c.treeAttrs(tree.Arg(), c.bindAttrs(m, false), m.subject)
	isDir, done := c.Label(), c.Label()
	c.Statx(tree.Arg(), "", unix.AT_EMPTY_PATH, c.stat)
	c.JumpIf(c.stat.Mode(), unix.S_IFMT, unix.S_IFDIR, isDir)
	c.attachTree(m, tree.Arg(), false)
	c.Jump(done)
	c.Bind(isDir)
	c.attachTree(m, tree.Arg(), true)
	c.Bind(done)
	c.closeMount(m, tree.Arg(), true)
}
