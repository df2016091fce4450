package compile

import (
	"path"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// inRoot walks a path as if the pinned directory were the root: symbolic links
// are followed, but never out of it, and the links in /proc that lead to open
// files are not followed at all.
const inRoot = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS

// inRootNoLinks is for places that must be where they seem to be.
const inRootNoLinks = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// ownMounts reports whether the container has a mount namespace of its own, that
// nobody else is in.
func (c *compiler) ownMounts() bool { return oci.HasNew(c.spec, specs.MountNamespace) }

// attachRoot makes the tree of the rootfs a part of the mount namespace and
// pins its root.
func (c *compiler) attachRoot() {
	rootfs := c.in.Bundle.Rootfs
	if oci.Namespace(c.spec, specs.MountNamespace) == nil {
		c.root = c.source(source.Dir{What: "rootfs (root.path)", Path: rootfs})
		return
	}
	if c.ownMounts() {
		// First of all: nothing that is mounted from here on may reach the host.
		// Unmounts of the host do reach the copies here, so that nothing of it
		// is kept busy by them.
		c.note(stepPrivateMounts, "linux.rootfsPropagation", "separate the mounts from the host's", "")
		//allow:path the root of the program's own mount namespace
		c.MountSetattr(program.Cwd(), "/", unix.AT_RECURSIVE, 0, 0, unix.MS_SLAVE)
	}
	at := rootfs
	if !c.ownMounts() {
		// In a mount namespace of others no other path is what it seems to be.
		at = "/"
	}
	c.openAround(at)
	propagation := uint64(unix.MS_SLAVE)
	if p := bundle.Propagation(c.propagation()); p&unix.MS_PRIVATE != 0 || p&unix.MS_UNBINDABLE != 0 {
		propagation = unix.MS_PRIVATE
	}
	tree, number := source.Tree{
		What: "rootfs", Property: "root.path", Path: rootfs, Recursive: true,
		Attrs: []source.Attr{{Propagation: propagation, Recursive: true}},
	}, 0
	if c.standsAtRoot() && c.in.Host.OpensNothing {
		c.root = c.openTreeAt(tree, "")
	} else {
		c.root = c.tree(tree, &number)
	}
	c.note(stepAttachRootfs, "root.path", "attach the rootfs", rootfs)
	c.moveSource(number, c.root, func() program.Op {
		if c.standsAtRoot() {
			//allow:path the directory of the rootfs, which standAtRoot has entered
			return c.MoveMount(c.root, program.Cwd())
		}
		//allow:path a path of the host: where the rootfs itself is
		return c.MoveMountAt(c.root, program.Cwd(), at)
	})
}

// standsAtRoot reports whether the working directory is the directory of the rootfs until
// the rootfs is attached.
func (c *compiler) standsAtRoot() bool { return c.privileged() && c.ownMounts() }

// standAtRoot makes the directory of the rootfs the working directory, before the process
// takes the ids of a user namespace.
//
// The rootfs has to be attached at its place, where hooks look for it. In a user namespace
// the path may lead through directories that are closed. But a new mount namespace takes the
// working directory along: it becomes the same directory in the copy of its mount. To attach a
// tree there takes no lookup and no permission.
func (c *compiler) standAtRoot() {
	if !c.standsAtRoot() {
		return
	}
	c.note(stepRootfsDir, "root.path", "go to the directory of the rootfs", c.in.Bundle.Rootfs)
	c.Chdir(c.in.Bundle.Rootfs)
}

// enterRoot makes the rootfs the root of the process.
func (c *compiler) enterRoot() {
	c.note(stepEnterRootfs, "root.path", "enter the rootfs", "")
	c.Fchdir(c.root)
	switch {
	case !c.ownMounts():
		// Others are in this mount namespace: its root has to stay.
		c.Chroot(".")
	case c.in.NoPivot:
		// The old root stays below the new one, where nobody can see it; but a
		// full procfs or sysfs there would let a user namespace in the container
		// mount new ones without the masks.
		for _, p := range c.in.Host.ProcMounts {
			c.Umount(p, unix.MNT_DETACH).Allow(unix.EINVAL, unix.ENOENT)
		}
		c.Mount(".", "/", "", unix.MS_MOVE, "")
		c.Chroot(".")
	default:
		// The old root ends up on top of the new one, and goes.
		c.PivotRoot(".", ".")
		c.Umount(".", unix.MNT_DETACH)
	}
	c.Chdir("/")
}

// makeCwd makes the working directory when it is missing, as users expect from
// images that only name it. By now no path leads out of the container.
func (c *compiler) makeCwd() {
	if c.spec.Process == nil {
		return
	}
	cwd := relative(c.spec.Process.Cwd)
	if cwd == "" {
		return
	}
	defer c.block()()
	target := c.take("target")
	c.Describe(program.Note{Step: stepMakeCwd, What: "make the working directory", Object: c.spec.Process.Cwd, Property: "process.cwd", Explain: cwdError(c.spec.Process.Cwd)})
	c.openOrMake(cwd, mountPoint{dir: true, made: &made{protocol.Cwd}}, target)
	c.Close(target.Arg())
}

// mountPoint says what to look for and how.
type mountPoint struct {
	dir    bool   // a directory; otherwise a file, or whatever is there
	mode   uint32 // of the directory when it is made; 0 for 0755
	strict bool   // without any symbolic link
	// noFollow means the symbolic link itself where the path ends in one.
	noFollow bool
	// made lets the runtime make what a dangling link leads to, and find out why something
	// cannot be made; nil for nobody.
	made *made
}

// made names the entry of mounts that a mount point is made for; or it is [protocol.Cwd], or a [protocol.Device].
type made struct{ index uint32 }

// openOrMake pins a path below the root in a word. What is missing is made:
// directories with mode 0755, and an empty file at the end when that is wanted.
//
// Attacker: someone who changes the rootfs meanwhile. Every step is resolved by the
// kernel below the pinned root, and names are only made below a pinned parent. A
// link that is put into a place which was just made can lead to another place in
// the rootfs, but not out of it.
func (c *compiler) openOrMake(rel string, m mountPoint, into program.Word) {
	defer c.block()()
	turns := [2]program.Word{c.take("dir"), c.take("tmp")}
	how := program.Lookup{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: inRoot}
	if m.strict {
		how.Resolve = inRootNoLinks
	}
	dirHow := how
	dirHow.Flags |= unix.O_DIRECTORY
	last := how
	if m.dir {
		last = dirHow
	}
	if m.noFollow {
		last.Flags |= unix.O_NOFOLLOW
	}
	missing, ask, done := c.Label(), c.Label(), c.Label()
	// What a program is denied it cannot explain: it does not know the ids of the host.
	allow := func(o program.Op, errs ...syscall.Errno) program.Op {
		if m.made != nil {
			o.Allow(errs...)
		}
		return o
	}
	asks := func(o program.Op, errs ...syscall.Errno) {
		if m.made != nil {
			o.Allow(errs...).Else(ask)
		}
	}
	allow(c.Openat2(c.root, rel, last).Into(into).Allow(unix.ENOENT), unix.EACCES).Else(missing)
	c.Jump(done)

	c.Bind(missing)
	if m.made == nil {
		c.describeMissing()
	}
	parent := c.root
	dirs := rel
	if !m.dir {
		dirs = path.Dir(rel)
	}
	for i, end := 0, 0; dirs != "." && end < len(dirs); i++ {
		start := end
		if i > 0 {
			start++
		}
		end = len(dirs)
		if n := strings.IndexByte(dirs[start:], '/'); n >= 0 {
			end = start + n
		}
		// Two words in turn: the parent is needed to make the child.
		next := turns[i%2]
		mode := uint32(0o755)
		if m.dir && end == len(dirs) {
			next = into
			if m.mode != 0 {
				mode = m.mode
			}
		}
		allow(c.Mkdirat(parent, dirs[start:end], mode).Allow(unix.EEXIST), unix.EACCES, unix.EPERM, unix.EOVERFLOW)
		lookup := dirHow
		if m.dir && end == len(dirs) {
			lookup = last
		}
		asks(c.Openat2(c.root, dirs[:end], lookup).Into(next), unix.ENOENT, unix.EACCES)
		if i > 0 {
			c.Close(parent)
		}
		parent = next.Arg()
	}
	if !m.dir {
		// O_EXCL: whatever appeared at this place meanwhile is not ours. EEXIST for a
		// name that could not be resolved is a dangling link.
		asks(c.Openat(parent, path.Base(rel), unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_RDONLY, 0o644).Into(into), unix.EEXIST, unix.EACCES, unix.EPERM, unix.EOVERFLOW)
		if parent != c.root {
			c.Close(parent)
		}
	}
	if m.made != nil {
		c.Jump(done)
		c.Bind(ask)
		c.askToMake(m)
		c.Openat2(c.root, rel, last).Into(into)
	}
	c.Bind(done)
}

// describeMissing makes errors of the ops that follow say that something was missing and could
// not be made.
func (c *compiler) describeMissing() {
	previous := c.Note()
	n := *previous
	n.Explain = func(e syscall.Errno) string {
		switch e {
		case unix.ENOENT, unix.EACCES, unix.EPERM, unix.EEXIST:
		default:
			if previous.Explain != nil {
				return previous.Explain(e)
			}
			return ""
		}
		return previous.Subject() + ": it does not exist, and cannot be made there"
	}
	c.Describe(n)
}

// askToMake lets the runtime make a mount point that is reached through a dangling link:
// a program cannot follow links one by one. It also knows more about what it may not make.
func (c *compiler) askToMake(m mountPoint) {
	point := protocol.PointMakeFile
	if m.dir {
		point = protocol.PointMakeDir
	}
	c.askAt(point, m.made.index, m.strict)
}

// askAt asks the runtime for something at the destination of a mount.
func (c *compiler) askAt(point protocol.Point, index uint32, strict bool) {
	if c.ask == (program.FDMessage{}) {
		c.ask = c.NewFDMessage("ask", protocol.KindSync)
	}
	noLinks := 0
	if strict {
		noLinks = 1
	}
	c.Set(c.ask.A(), program.Int(point))
	c.Set(c.ask.B(), program.Int(index))
	c.Set(c.ask.C(), program.Int(noLinks))
	c.SendFDMessage(c.socket, c.ask, c.root)
	c.receive(c.socket, c.reply, protocol.MessageSize)
}

// mountPointError explains why a mount point could not be pinned or used.
func mountPointError(n program.Note, dest string) func(syscall.Errno) string {
	return func(e syscall.Errno) string {
		reason := ""
		switch e {
		case unix.ELOOP:
			reason = "it is reached through a symbolic link, which is refused here"
		case unix.EEXIST, unix.ENOENT:
			reason = "a component is a dangling symbolic link: " + e.Error()
		case unix.ENOTDIR, unix.EISDIR:
			reason = "source and mount point are not both directories or both files: " + e.Error()
		case unix.EROFS:
			reason = "it is missing, and the file system that it would be in is read-only"
		default:
			return ""
		}
		return n.Subject() + ": mount point " + quote(path.Clean("/"+dest)) + ": " + reason
	}
}
