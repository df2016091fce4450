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

// inRoot resolves a path as if the pinned directory were the root: symbolic links are followed,
// but never out of it, and the links in /proc to open files are not followed at all.
const inRoot = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS

// inRootNoLinks is for paths that must not contain symbolic links.
const inRootNoLinks = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// ownMounts reports whether the container has a new mount namespace.
func (c *compiler) ownMounts() bool { return oci.HasNew(c.spec, specs.MountNamespace) }

// attachRoot attaches the tree of the rootfs in the mount namespace and pins its root.
func (c *compiler) attachRoot() {
	defer func() { c.keepNumber(Place{Index: -1, Dest: "/", Own: true}, c.root) }()
	rootfs := c.in.Bundle.Rootfs
	if oci.Namespace(c.spec, specs.MountNamespace) == nil {
		c.root = c.source(source.Dir{What: "rootfs (root.path)", Path: rootfs})
		return
	}
	if c.ownMounts() {
		// First of all: no mount from here on may reach the host. Unmounts of the host still
		// reach the copies here, so that these do not keep the host's file systems busy.
		c.note(stepPrivateMounts, "linux.rootfsPropagation", "separate the mounts from the host's", "")
		//allow:path the root of the program's own mount namespace
		c.MountSetattr(program.Cwd(), "/", unix.AT_RECURSIVE, 0, 0, unix.MS_SLAVE)
	}
	c.openAround()
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
	c.Describe(program.Note{Step: stepAttachRootfs, What: "attach the rootfs", Object: rootfs, Property: "root.path", HostPath: rootfs})
	// On the root of the namespace, below which no path leads: it hides nothing. At its own
	// path it could hide what the program still has to find on the host, its cgroups before all,
	// where somebody replaces a directory on the way there by a link.
	c.onTop = true
	c.moveSource(number, c.root, func() program.Op {
		//allow:path the root of the program's own mount namespace, or of that which it has joined
		return c.MoveMountAt(c.root, program.Cwd(), "/")
	})
}

// showRoot attaches the rootfs at its place, where hooks look for it. The program needs no path
// of the host from here on.
func (c *compiler) showRoot() {
	if !c.standsAtRoot() {
		return
	}
	c.note(stepShowRootfs, "root.path", "attach the rootfs where it is on the host", c.in.Bundle.Rootfs)
	c.onTop = false
	//allow:path the directory of the rootfs, which standAtRoot has entered
	c.MoveMount(c.root, program.Cwd())
}

// standsAtRoot reports whether the working directory is the directory of the rootfs until the
// rootfs is entered.
func (c *compiler) standsAtRoot() bool {
	return c.ownMounts() && (BeforePivot(c.spec.Hooks) || c.in.Host.OpensNothing) && c.in.Bundle.Rootfs != "/"
}

// standAtRoot makes the directory of the rootfs the working directory, before the process changes
// to the ids of a user namespace.
//
// Hooks look for the rootfs at its place. In a user namespace
// the path may lead through directories that are closed. But a new mount namespace takes the
// working directory along: it becomes the same directory in the copy of its mount. To attach a
// tree there takes no lookup and no permission.
func (c *compiler) standAtRoot() {
	if !c.standsAtRoot() {
		return
	}
	c.Describe(program.Note{Step: stepRootfsDir, What: "go to the directory of the rootfs", Object: c.in.Bundle.Rootfs, Property: "root.path", HostPath: c.in.Bundle.Rootfs})
	c.Chdir(c.in.Bundle.Rootfs)
}

// enterRoot makes the rootfs the root of the process.
func (c *compiler) enterRoot() {
	c.note(stepEnterRootfs, "root.path", "enter the rootfs", "")
	c.Fchdir(c.root)
	switch {
	case !c.ownMounts():
		// Other processes use this mount namespace, so its root has to stay.
		c.Chroot(".")
	case c.in.NoPivot:
		// The old root stays below the new one, where no process can see it. But a full procfs or
		// sysfs there would allow a user namespace in the container to mount new ones without the
		// masks.
		for _, p := range c.in.Host.ProcMounts {
			c.Umount(p, unix.MNT_DETACH).Allow(unix.EINVAL, unix.ENOENT)
		}
		if !c.onTop {
			c.Mount(".", "/", "", unix.MS_MOVE, "")
		}
		c.Chroot(".")
	default:
		// The old root is now mounted on top of the new one; unmount it.
		c.PivotRoot(".", ".")
		c.Umount(".", unix.MNT_DETACH)
	}
	c.Chdir("/")
}

// makeCwd creates the working directory if it is missing, as users expect for images that only
// name it. No path leads out of the container any more.
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

// mountPoint describes the mount point to find.
type mountPoint struct {
	dir    bool   // a directory; otherwise a file, or whatever exists
	mode   uint32 // of a directory that is created; 0 means 0755
	strict bool   // without any symbolic link
	// noFollow means that a symbolic link as last component is not followed.
	noFollow bool
	// made makes the runtime create what a dangling link leads to, and find out why something
	// cannot be created; nil disables that.
	made *made
}

// made is the entry of mounts for which a mount point is created, or [protocol.Cwd], or a
// [protocol.Device].
type made struct{ index uint32 }

// openOrMake pins a path below the root in a word. Missing components are created: directories
// with mode 0755, and an empty file at the end if wanted.
//
// Attacker: a process that changes the rootfs meanwhile. The kernel resolves every step below the
// pinned root, and names are created only below a pinned parent. A link that replaces a name that
// was just created can lead to another place in the rootfs, but not out of it.
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
	in := c.liesIn(path.Dir("/" + rel))
	missing, ask, done := c.Label(), c.Label(), c.Label()
	// The program cannot explain why it is denied, because it does not know the ids of the host.
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
	end := 0
	if in >= 0 {
		// Its mount point is there.
		end = len(relative(c.list[in].dest))
		asks(c.Openat2(c.root, dirs[:end], dirHow).Into(turns[1]), unix.ENOENT, unix.EACCES)
		parent = turns[1].Arg()
	}
	// Nothing is made outside of the mount that the path lies in: the runtime knows whether
	// another one will do.
	here := func() {
		if parent == c.root {
			return
		}
		c.StatxMountNumber(parent, c.stat)
		asks(c.CheckSame(c.stat.MountID(), c.numbers.word[in], unix.EXDEV))
	}
	for i := 0; dirs != "." && end < len(dirs); i++ {
		start := end
		if end > 0 {
			start++
		}
		end = len(dirs)
		if n := strings.IndexByte(dirs[start:], '/'); n >= 0 {
			end = start + n
		}
		// Two words in turn: the parent is needed to create the child.
		next := turns[i%2]
		mode := uint32(0o755)
		if m.dir && end == len(dirs) {
			next = into
			if m.mode != 0 {
				mode = m.mode
			}
		}
		here()
		allow(c.Mkdirat(parent, dirs[start:end], mode).Allow(unix.EEXIST), unix.EACCES, unix.EPERM, unix.EOVERFLOW)
		lookup := dirHow
		if m.dir && end == len(dirs) {
			lookup = last
		}
		asks(c.Openat2(c.root, dirs[:end], lookup).Into(next), unix.ENOENT, unix.EACCES)
		if parent != c.root {
			c.Close(parent)
		}
		parent = next.Arg()
	}
	if !m.dir {
		here()
		// O_EXCL: a name that appeared meanwhile is not ours. EEXIST for a name that could not be
		// resolved means a dangling link.
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

// describeMissing changes the note of the ops that follow: something was missing and could not be
// created.
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

// askToMake asks the runtime to create a mount point behind a dangling link, because a program
// cannot follow links one by one. The runtime also knows more about permissions.
func (c *compiler) askToMake(m mountPoint) {
	point := protocol.PointMakeFile
	if m.dir {
		point = protocol.PointMakeDir
	}
	noLinks := 0
	if m.strict {
		noLinks = 1
	}
	c.askAt(point, m.made.index, program.Int(noLinks))
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
		case unix.EXDEV:
			reason = elsewhere(e)
		case unix.EROFS:
			reason = "it is missing, and the file system that it would be in is read-only"
		default:
			return ""
		}
		return n.Subject() + ": mount point " + quote(path.Clean("/"+dest)) + ": " + reason
	}
}
