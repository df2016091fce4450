package compile

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
)

// Found describes a path of the host.
type Found struct {
	Dir bool
	// Links reports whether the path goes through symbolic links.
	Links bool
}

// place is the place of a bind mount's source: a path of the host or, with inside, a path below
// the rootfs.
type place struct {
	path   string
	inside bool
	dir    bool // a path of the host is a directory
	// noLinks reports whether there are no symbolic links on a path of the host.
	noLinks bool
}

// place finds the place of a bind mount's source, once.
//
// A source in the rootfs means the file at that path with all earlier mounts of the list
// (config.md#mounts). Only the program can find it.
func (c *compiler) place(m *mount) place {
	if m.place == nil {
		p := c.findPlace(m)
		m.place = &p
	}
	return *m.place
}

// findPlace is place without the cache. A path that enters the rootfs through a symbolic link of
// the host is followed up to there. That takes time, so it is done only if there are links, or if
// nothing exists there yet.
//
// Attacker: the image. It must not decide what the path leads to. From the rootfs on the links
// are the image's, and the kernel would follow them anywhere on the host.
func (c *compiler) findPlace(m *mount) place {
	src := c.sourcePath(m)
	if rel, ok := below(c.in.Bundle.Rootfs, src); ok {
		return place{path: rel, inside: true}
	}
	if m.SourceNoFollow {
		if p, ok := c.linkPlace(m, src); ok {
			return p
		}
	}
	found, err := c.in.Host.Look(src)
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.ELOOP) && !errors.Is(err, unix.EACCES) {
		c.failSource(m, err)
		return place{}
	}
	if err != nil || found.Links || hasParent(src) {
		if rel, ok := c.follow(m, src); ok {
			return place{path: rel, inside: true}
		}
	}
	if err != nil {
		c.failSource(m, err)
	}
	return place{path: src, dir: found.Dir, noLinks: err == nil && !found.Links}
}

// follow follows the links of a path up to the rootfs.
func (c *compiler) follow(m *mount, p string) (rel string, ok bool) {
	if c.in.Host.Follow == nil {
		return "", false
	}
	rel, ok = c.in.Host.Follow(p, c.in.Bundle.Rootfs)
	if ok && hasParent(rel) {
		c.fail(m.subject.Where(), "%s: source: it leads through the rootfs and out of it", m.subject.Subject())
		return "", true
	}
	return rel, ok
}

// hasParent reports whether a path contains "..".
func hasParent(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

// below returns the rest of a path that lies in a directory: "" for the directory itself. A path
// with ".." is refused, because it need not lie where it seems to.
func below(dir, p string) (rel string, ok bool) {
	//allow:prefix the end of the component is looked at, too
	rest, ok := strings.CutPrefix(p, dir)
	if !ok || rest != "" && rest[0] != '/' || hasParent(rest) {
		return "", false
	}
	return relative(rest), true
}

// failSource adds the problem that the source of a bind mount cannot be used.
func (c *compiler) failSource(m *mount, err error) {
	hint := ""
	switch {
	case !errors.Is(err, unix.ENOENT):
	case c.readlink(c.sourcePath(m)) != "":
		hint = fmt.Sprintf("it is a symbolic link to %q", c.readlink(c.sourcePath(m)))
	case filepath.IsAbs(m.Source):
		hint = "the source of a bind mount has to exist"
	default:
		hint = "the source of a bind mount has to exist; it is relative to the bundle"
	}
	err = fault.With(fault.Hinted(err, hint), fault.Facts{ContainerPath: m.dest})
	c.fail(m.subject.Where(), "%s: source: %w", m.subject.Subject(), err)
}

// bindTree returns the tree of a bind mount of the host.
func (c *compiler) bindTree(m *mount, p place) source.Tree {
	return source.Tree{What: m.subject.Text(), Property: m.subject.Where(), Path: p.path, NoFollow: m.SourceNoFollow, NoLinks: p.noLinks, Dir: p.dir, Recursive: m.Recursive, Attrs: c.bindAttrs(m, c.later)}
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

// openAround opens trees of the whole host before the rootfs is attached. Otherwise they would
// show the container instead of the host's directory there. This only concerns trees that the
// program opens; the runtime opens trees of the host as it sees them.
func (c *compiler) openAround() {
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
		if path.Clean(real) == "/" {
			m.early = c.openTree(c.bindTree(m, p))
		}
	}
}

// keepSources decides which mounts stay pinned until later sources have been copied from them.
func (c *compiler) keepSources() {
	for _, m := range c.list {
		if !m.Bind || !m.isMount() {
			continue
		}
		if p := c.place(m); p.inside {
			c.keep(c.mountBefore(m.subject.Index, p.path))
		}
	}
}

// bindInside mounts a part of the container's own tree in its current state.
//
// Attacker: the image, and any process that changes the rootfs. The path is resolved like each
// path of the container: a symbolic link leads to another place in it, never to the host, and a
// procfs link to an open file is not followed. The result is pinned and never looked up again.
// (With mount(2) before the pivot, the image could make the same path lead anywhere on the host.)
//
// The lookup does not leave the mount in which the path lies either, which was pinned when it was
// made. Otherwise a symbolic link, or a mount point that is renamed, could lead to the procfs,
// where no mask would cover it, or to a read-only volume, which the options of this entry would
// make writable.
func (c *compiler) bindInside(m *mount, p place) {
	defer c.block()()
	target := c.take("target")
	from := program.Note{Step: stepSourceInside, What: "source of the " + m.subject.Text(), Property: m.subject.Property, Index: m.subject.Index}
	from.Explain = func(e syscall.Errno) string {
		reason := ""
		switch e {
		case unix.ENOENT, unix.ENOTDIR:
			reason = " (it is in the rootfs, where neither the image nor an earlier mount has it)"
		case unix.ELOOP:
			reason = " (it is in the rootfs, and leads through a link of procfs to an open file, or through too many links)"
		case unix.EXDEV:
			reason = " (it is in the rootfs, and a symbolic link or a mount of the host leads it from one mount into another)"
		case unix.EINVAL:
			reason = " (it is in the rootfs, and an unbindable mount, or has mounts below it that only rbind can take)"
		default:
			return ""
		}
		return m.subject.Subject() + ": source: " + e.Error() + reason
	}
	c.Describe(from)
	tree := c.treeWord()
	dir, rest := c.pinnedPlace(c.mountBefore(m.subject.Index, p.path), p.path)
	at := dir
	if rest != "" {
		how := program.Lookup{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: inRoot | unix.RESOLVE_NO_XDEV}
		if m.SourceNoFollow {
			how.Flags |= unix.O_NOFOLLOW
		}
		c.Openat2(dir, rest, how).Into(target)
		at = target.Arg()
	}
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH)
	if m.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	c.OpenTree(at, "", flags).Into(tree)
	if rest != "" {
		c.Close(at)
	}
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
