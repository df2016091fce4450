package compile

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
)

// readonlyPaths makes parts of the tree read-only, with all mounts below. A path that does not
// exist needs no protection.
func (c *compiler) readonlyPaths() {
	if c.spec.Linux == nil {
		return
	}
	defer c.block()()
	target, mnt := c.take("target"), c.take("mnt")
	for i, p := range c.spec.Linux.ReadonlyPaths {
		next := c.Label()
		c.Describe(program.Note{Step: stepReadonlyPath, What: "make read-only", Object: p, Property: "linux.readonlyPaths[#]", Index: i})
		c.openProtected(p).Into(target).Allow(unix.ENOENT, unix.ENOTDIR).Else(next)
		c.checkSpread(target.Arg(), p, protocol.Protected(i))
		c.OpenTree(target.Arg(), "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE).Into(mnt)
		c.MountSetattr(mnt.Arg(), "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, unix.MOUNT_ATTR_RDONLY, 0, 0)
		c.MoveMount(mnt.Arg(), target.Arg())
		c.Close(mnt.Arg())
		c.Close(target.Arg())
		c.Bind(next)
	}
}

// openProtected pins a path that is to be masked or made read-only.
//
// Attacker: a process that renames the mount point of /proc in the rootfs. The mount moves with
// it, so a lookup of /proc/sys would find nothing to protect. So the path is looked up in the
// mount that it lies in, which was pinned when it was made, wherever it is now.
func (c *compiler) openProtected(p string) program.Op {
	dir, rest := c.pinnedPlace(c.mountOf(p), p)
	if rest == "" {
		// The mount itself, which may be a file.
		return c.OpenTree(dir, "", unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	}
	return c.Openat2(dir, rest, program.Lookup{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: inRoot})
}

// pinnedPlace returns a path in the mount with index i as the mount's descriptor and the rest of
// the path.
func (c *compiler) pinnedPlace(i int, p string) (dir program.Arg, rest string) {
	if i < 0 {
		return c.root, relative(path.Clean("/" + p))
	}
	return c.kept[i], strings.TrimPrefix(path.Clean("/" + p)[len(c.list[i].dest):], "/")
}

// mountOf returns the index of the mount that a path lies in, -1 for the rootfs.
func (c *compiler) mountOf(p string) int { return c.mountBefore(len(c.list), p) }

// mountBefore is mountOf before the entry with index end is mounted. Of the mounts with the
// longest destination it returns the last one, because it covers the others.
func (c *compiler) mountBefore(end int, p string) int {
	for p = path.Clean("/" + p); ; p = path.Dir(p) {
		if i := c.lastAt(p, end); i >= 0 || p == "/" {
			return i
		}
	}
}

// lastAt returns the index of the last mount with a destination, of those before the index end, or
// -1. There may be many mounts, and many paths that lie in them.
func (c *compiler) lastAt(dest string, end int) int {
	if c.indexes == nil {
		c.indexes = make(map[string][]int, len(c.list))
		for i, m := range c.list {
			if m.isMount() {
				c.indexes[m.dest] = append(c.indexes[m.dest], i)
			}
		}
	}
	at := c.indexes[dest]
	n, _ := slices.BinarySearch(at, end)
	if n == 0 {
		return -1
	}
	return at[n-1]
}

// mountAt is the index of the last mount with this destination, -1 without one.
func (c *compiler) mountAt(dest string) int {
	i := c.mountOf(dest)
	if i >= 0 && c.list[i].dest != dest {
		return -1
	}
	return i
}

// keepMounts decides which mounts stay pinned until paths in them are protected, or until they
// are remounted or get the root's propagation.
func (c *compiler) keepMounts() {
	c.kept = make(map[int]program.Arg)
	c.keepSources()
	if !c.hostDev() {
		c.keep(c.mountAt("/dev"))
	}
	if c.spec.Linux == nil || !c.ownMounts() {
		return
	}
	c.keepRemounted()
	for _, list := range [][]string{c.spec.Linux.ReadonlyPaths, c.spec.Linux.MaskedPaths} {
		for _, p := range list {
			c.keep(c.mountOf(p))
		}
	}
	c.keepForRoot()
}

// keep keeps the mount with index i pinned; -1 means the rootfs, which is always pinned.
func (c *compiler) keep(i int) {
	if i >= 0 && c.kept[i] == (program.Arg{}) {
		c.kept[i] = c.Word("kept"+strconv.Itoa(i), -1).Arg()
	}
}

// rootOr returns a path for openat2, which does not accept an empty one.
func rootOr(rel string) string {
	if rel == "" {
		return "."
	}
	return rel
}

// pinMasks opens what masks need from the host while the host can be reached.
func (c *compiler) pinMasks() {
	if c.spec.Linux == nil || len(c.spec.Linux.MaskedPaths) == 0 {
		return
	}
	// The copy of the null device survives the pivot, detached.
	c.nullMask = c.source(source.Tree{
		What: "null device for masks", Property: "linux.maskedPaths", Path: "/dev/null", Node: source.Null,
		// Read-only: the inode is the host's, and the container must not change its mode and
		// owner. Writing to the device works nevertheless.
		Attrs: []source.Attr{
			{Set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC},
			{Propagation: unix.MS_PRIVATE},
		},
	})
}

// maskedPaths covers directories with an empty read-only file system and other files with the
// null device. All masks share one of each: the first use moves it into place, the others are
// copies.
//
// The null device is the host's, pinned and checked by the runtime, because the container's may
// come from the image.
func (c *compiler) maskedPaths() {
	if c.spec.Linux == nil || len(c.spec.Linux.MaskedPaths) == 0 {
		return
	}
	defer c.block()()
	target := c.take("target")
	empty, mask := c.Word("empty", -1), c.Word("mask", -1)
	emptyUsed, nullUsed := c.Word("emptyused", 0), c.Word("nullused", 0)
	for i, p := range c.spec.Linux.MaskedPaths {
		next, file, copyEmpty, copyNull, cover := c.Label(), c.Label(), c.Label(), c.Label(), c.Label()
		c.Describe(program.Note{Step: stepMaskPath, What: "mask", Object: p, Property: "linux.maskedPaths[#]", Index: i})
		c.openProtected(p).Into(target).Allow(unix.ENOENT, unix.ENOTDIR).Else(next)
		c.checkSpread(target.Arg(), p, protocol.Protected(len(c.spec.Linux.ReadonlyPaths)+i))
		c.Statx(target.Arg(), "", unix.AT_EMPTY_PATH, c.stat)
		c.Check(c.stat.Mode(), unix.S_IFMT, unix.S_IFDIR, 0).Else(file)

		c.JumpIf(emptyUsed, ^uint32(0), 1, copyEmpty)
		c.newFilesystem("tmpfs", "tmpfs", c.withMountLabel("tmpfs", nil), unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC, empty)
		c.Set(emptyUsed, program.Int(1))
		c.Set(mask, empty.Arg())
		c.Jump(cover)
		c.Bind(copyEmpty)
		c.OpenTree(empty.Arg(), "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH).Into(mask)
		c.Jump(cover)

		c.Bind(file)
		c.JumpIf(nullUsed, ^uint32(0), 1, copyNull)
		c.Set(nullUsed, program.Int(1))
		c.Set(mask, c.nullMask)
		c.Jump(cover)
		c.Bind(copyNull)
		c.OpenTree(c.nullMask, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH).Into(mask)

		c.Bind(cover)
		c.MoveMount(mask.Arg(), target.Arg())
		c.Close(target.Arg())
		c.Bind(next)
	}
}
