package compile

import (
	"golang.org/x/sys/unix"

	"coracle/libcontainer/program"
	"coracle/libcontainer/source"
)

// readonlyPaths makes parts of the tree read-only, with all that is mounted
// there. A path that does not exist needs no protection.
func (c *compiler) readonlyPaths() {
	if c.spec.Linux == nil {
		return
	}
	for i, p := range c.spec.Linux.ReadonlyPaths {
		next := c.Label()
		c.Describe(program.Note{What: "make read-only", Object: p, Pointer: "linux.readonlyPaths[#]", Index: i})
		c.Openat2(c.root, rootOr(relative(p)), program.Lookup{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: inRoot}).Into(c.target).
			Allow(unix.ENOENT, unix.ENOTDIR).Else(next)
		c.OpenTree(c.target.Arg(), "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE).Into(c.mnt)
		c.MountSetattr(c.mnt.Arg(), "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, unix.MOUNT_ATTR_RDONLY, 0, 0)
		c.MoveMount(c.mnt.Arg(), c.target.Arg())
		c.Close(c.mnt.Arg())
		c.Close(c.target.Arg())
		c.Bind(next)
	}
}

// rootOr is a path for openat2, which has no empty ones.
func rootOr(rel string) string {
	if rel == "" {
		return "."
	}
	return rel
}

// maskedPaths covers directories with an empty read-only file system and anything
// else with the null device. All masks share one of each: the first is moved into
// place, the others are copies of it.
//
// The null device is the host's, pinned and checked by the runtime: the one in the
// container belongs to the image.
func (c *compiler) maskedPaths() {
	if c.spec.Linux == nil || len(c.spec.Linux.MaskedPaths) == 0 {
		return
	}
	// The runtime's copy of the null device survives the pivot, detached.
	null := c.source(source.Tree{
		What: "null device for masks", Pointer: "linux.maskedPaths", Path: "/dev/null", Null: true,
		Attrs: []source.Attr{{Propagation: unix.MS_PRIVATE}},
	})
	empty, mask := c.Word("empty", -1), c.Word("mask", -1)
	emptyUsed, nullUsed := c.Word("emptyused", 0), c.Word("nullused", 0)
	for i, p := range c.spec.Linux.MaskedPaths {
		next, file, copyEmpty, copyNull, cover := c.Label(), c.Label(), c.Label(), c.Label(), c.Label()
		c.Describe(program.Note{What: "mask", Object: p, Pointer: "linux.maskedPaths[#]", Index: i})
		c.Openat2(c.root, rootOr(relative(p)), program.Lookup{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: inRoot}).Into(c.target).
			Allow(unix.ENOENT, unix.ENOTDIR).Else(next)
		c.Statx(c.target.Arg(), "", unix.AT_EMPTY_PATH, c.stat)
		c.Check(c.stat.Mode(), unix.S_IFMT, unix.S_IFDIR, 0).Else(file)

		c.JumpIf(emptyUsed, ^uint32(0), 1, copyEmpty)
		c.newFilesystem("tmpfs", "tmpfs", nil, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC, empty)
		c.Set(emptyUsed, program.Int(1))
		c.Set(mask, empty.Arg())
		c.Jump(cover)
		c.Bind(copyEmpty)
		c.OpenTree(empty.Arg(), "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH).Into(mask)
		c.Jump(cover)

		c.Bind(file)
		c.JumpIf(nullUsed, ^uint32(0), 1, copyNull)
		c.Set(nullUsed, program.Int(1))
		c.Set(mask, null)
		c.Jump(cover)
		c.Bind(copyNull)
		c.OpenTree(null, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH).Into(mask)

		c.Bind(cover)
		c.MoveMount(mask.Arg(), c.target.Arg())
		c.Close(c.target.Arg())
		c.Bind(next)
	}
}
