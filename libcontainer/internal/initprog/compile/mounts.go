package compile

import (
	"fmt"
	"path"
	"strconv"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

func quote(s string) string { return strconv.Quote(s) }

// mount is an entry of mounts that is being compiled.
type mount struct {
	specs.Mount
	bundle.MountOptions
	dest    string // cleaned
	subject program.Note
	// link is the target of the symbolic link that is created instead of a mount.
	link   string
	source int         // the number of its source, 0 for none
	place  *place      // of a bind mount's source; nil before the first request
	early  program.Arg // its tree, if it was opened before the rootfs was attached
	// inUserns reports whether it is mounted in a user namespace, and newOwner whether the
	// container has a new namespace of the type that the file system shows (mountOwners).
	inUserns, newOwner bool
	// deviceRules reports whether the configuration has device rules.
	deviceRules bool
}

// readMounts interprets the entries of mounts.
func (c *compiler) readMounts() {
	c.list = make([]*mount, 0, len(c.spec.Mounts))
	for i, m := range c.spec.Mounts {
		o, err := bundle.ParseMountOptions(m)
		if err != nil {
			c.fail(fmt.Sprintf("mounts[%d].options", i), "%w", err)
		}
		mt := &mount{Mount: m, MountOptions: o, dest: path.Clean("/" + m.Destination), inUserns: c.inUserNamespace()}
		mt.newOwner = oci.HasNew(c.spec, mountOwners.Of(m.Type))
		mt.deviceRules = c.spec.Linux.Resources != nil && len(c.spec.Linux.Resources.Devices) > 0
		mt.subject = program.Note{Step: stepMount, What: "mount", Object: m.Type, At: mt.dest, Property: "mounts[#]", Index: i}
		switch {
		case o.Remount:
			mt.subject.What, mt.subject.Object = "remount", ""
		case o.Bind:
			mt.subject.What, mt.subject.Object = "bind mount", m.Source
		}
		if o.CopySymlink {
			c.readLink(mt)
		}
		c.list = append(c.list, mt)
	}
	const opsOfMount = 24 // approximately
	c.Grow(opsOfMount * len(c.list))
}

// mounts makes the mounts in the order of the list, because later ones may lie in earlier ones.
//
// Every mount is complete, with all its flags, before it is attached, and it is
// attached to a pinned mount point, never to a path.
func (c *compiler) mounts() {
	c.at = make(map[string]*mount, len(c.list))
	c.spread = c.spreads()
	for _, m := range c.list {
		switch {
		case m.Remount:
			c.remount(m)
		case m.link != "":
			c.copyLink(m)
		case m.Bind:
			c.bindMount(m)
		case m.Type == "cgroup":
			c.joinCgroup()
			c.cgroupMount(m)
		default:
			if m.Type == "cgroup2" {
				// The cgroup namespace determines the root of the mount.
				c.joinCgroup()
			}
			c.newMount(m)
		}
		if m.isMount() {
			c.at[m.dest] = m
		}
	}
	c.replaceRefused()
}

// note returns the subject with explanations of errors of the file system.
func (m *mount) note() program.Note {
	n := m.subject
	n.Explain = m.explain
	return n
}

// notePoint returns the subject with explanations about the mount point.
func (m *mount) notePoint() program.Note {
	n := m.subject
	n.Explain = mountPointError(m.subject, m.dest)
	return n
}

// refuse returns the subject with one explanation for all errors.
func (m *mount) refuse(reason string) program.Note {
	n := m.subject
	n.Explain = func(syscall.Errno) string { return m.subject.Subject() + ": " + reason }
	return n
}

// special file systems are mounted only on real directories: through a link the image could
// choose where they end up.
func special(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2":
		return true
	}
	return false
}

// pseudo file systems have no underlying device that could be read-only.
func pseudo(fstype string) bool {
	switch fstype {
	case "tmpfs", "ramfs", "bpf", "debugfs", "tracefs", "securityfs", "binder":
		return true
	}
	return special(fstype)
}

// newMount mounts a new file system.
func (c *compiler) newMount(m *mount) {
	c.checkLayers(m)
	attr := m.NewAttr()
	params := c.withMountLabel(m.Type, m.Params)
	defer c.block()()
	mnt, kept := c.take("mnt"), false
	readonly := attr&unix.MOUNT_ATTR_RDONLY != 0
	if readonly && !pseudo(m.Type) {
		params = append([]bundle.MountParam{{Key: "ro"}}, params...)
	}
	if readonly && c.readonlyLater(m) {
		attr &^= unix.MOUNT_ATTR_RDONLY
		mnt, kept = c.Word("mnt"+strconv.Itoa(m.subject.Index), -1), true
		c.readonly = append(c.readonly, readonlyMount{mnt, m.dest, m.note()})
	}
	c.Describe(m.note())
	c.newFilesystem(m.Type, m.Source, params, attr, mnt)
	c.labelQueues(m, mnt.Arg())
	if m.Type == "tmpfs" {
		c.fillTmpfs(m, mnt.Arg())
	}
	c.idMapNew(m, mnt.Arg())
	if !c.propagatedLater(m) {
		for _, p := range m.Propagation {
			c.MountSetattr(mnt.Arg(), "", unix.AT_EMPTY_PATH, 0, 0, p&^unix.MS_REC)
		}
	}
	c.attach(m, mnt.Arg(), mountPoint{dir: true, mode: m.PointMode(m.Type), strict: special(m.Type)}, m.Type == "proc")
	c.closeMount(m, mnt.Arg(), !kept)
}

// readonlyLater reports whether a read-only mount has to be writable at first, because mount
// points and devices have to be created in it.
func (c *compiler) readonlyLater(m *mount) bool { return m.Type == "tmpfs" || m.dest == "/dev" }

// closeMount closes the descriptor of an attached mount, unless it is needed again. done reports
// whether nothing else needs it.
func (c *compiler) closeMount(m *mount, mnt program.Arg, done bool) {
	c.keepNumber(placeOf(m), mnt)
	kept, isKept := c.kept[m.subject.Index]
	if isKept {
		c.SetArg(kept, mnt)
	}
	remounted, isRemounted := c.remounted[m.subject.Index]
	if isRemounted {
		c.Set(remounted, mnt)
	}
	if done && !isKept && !isRemounted {
		c.Close(mnt)
	}
}

// bindMount mounts a tree that was copied and given its attributes on the host, or one of the
// container itself.
func (c *compiler) bindMount(m *mount) {
	p := c.place(m)
	if p.inside {
		c.bindInside(m, p)
		return
	}
	fd := c.bindSource(m, p)
	c.Describe(m.note())
	c.attachTree(m, fd, p.dir)
	c.closeMount(m, fd, true)
}

// attachTree attaches the tree of a bind mount; dir reports whether it is a directory.
func (c *compiler) attachTree(m *mount, tree program.Arg, dir bool) {
	if m.dest == "/proc" {
		c.Describe(m.refuse("the source is not a procfs, and nothing else can be mounted at /proc"))
		c.Fstatfs(tree, c.statfs)
		c.CheckFilesystem(c.statfs, unix.PROC_SUPER_MAGIC, unix.EPERM)
		c.Describe(m.note())
	}
	allowed := bundle.AllowedInProc(m.dest)
	c.attach(m, tree, mountPoint{dir: dir, noFollow: m.DestNoFollow, strict: m.dest == "/proc" || allowed}, allowed)
}

// bindAttrs returns the changes to the copy of the source. The copy would be a peer of the host's
// mount; it gets the propagation of the rootfs unless the mount has its own.
//
// With later, a user namespace for an id mapping is opened together with the tree.
//
// A mount that has to receive later mounts of the host has to be a slave first, whatever the
// rootfs is.
func (c *compiler) bindAttrs(m *mount, later bool) []source.Attr {
	var attrs []source.Attr
	private := len(m.Propagation) > 0 && m.Propagation[0] == unix.MS_PRIVATE|unix.MS_REC && !c.propagatedLater(m)
	switch p := bundle.Propagation(c.propagation()); {
	case private, p&unix.MS_SHARED != 0:
	case p&(unix.MS_PRIVATE|unix.MS_UNBINDABLE) != 0 && !m.listens():
		attrs = append(attrs, source.Attr{Propagation: unix.MS_PRIVATE, Recursive: true})
	default:
		attrs = append(attrs, source.Attr{Propagation: unix.MS_SLAVE, Recursive: true})
	}
	if m.IDMap != bundle.NoIDMap {
		attrs = append(attrs, source.Attr{IDMap: c.idMap(m, later), Recursive: m.IDMap == bundle.IDMapRecursive})
	}
	for _, a := range m.Attrs {
		attrs = append(attrs, source.Attr{Set: a.Set, Clear: a.Clear, Recursive: a.Recursive, When: a.When, Lockable: true})
	}
	if !c.propagatedLater(m) {
		for _, p := range m.Propagation {
			attrs = append(attrs, source.Attr{Propagation: p &^ unix.MS_REC, Recursive: p&unix.MS_REC != 0})
		}
	}
	return attrs
}

// attach attaches a detached mount. Only allowed mounts may land on a procfs, whatever path leads
// there.
func (c *compiler) attach(m *mount, mnt program.Arg, at mountPoint, procAllowed bool) {
	defer c.block()()
	target := c.take("target")
	c.Describe(m.notePoint())
	about := uint32(m.subject.Index)
	if !bundle.AllowedInProc(m.dest) {
		at.made = &made{about}
	}
	c.openOrMake(relative(m.dest), at, target)
	c.checkSpread(target.Arg(), m.dest, about)
	if !procAllowed {
		ok := c.Label()
		c.Fstatfs(target.Arg(), c.statfs)
		c.CheckFilesystem(c.statfs, unix.PROC_SUPER_MAGIC, 0).Else(ok)
		c.Describe(m.refuse("the mount point is in a procfs, where nothing may be covered"))
		c.Fail(unix.EPERM)
		c.Bind(ok)
	}
	c.Describe(m.notePoint())
	if !at.dir {
		// The kernel's error would only be "invalid argument".
		ok := c.Label()
		c.Statx(target.Arg(), "", unix.AT_EMPTY_PATH, c.stat)
		c.Check(c.stat.Mode(), unix.S_IFMT, unix.S_IFDIR, 0).Else(ok)
		c.Fail(unix.EISDIR)
		c.Bind(ok)
	}
	c.moveSource(m.source, mnt, func() program.Op { return c.MoveMount(mnt, target.Arg()) })
	c.Close(target.Arg())
}

// makeReadonly sets the read-only attribute of mounts and the root. They were pinned when they
// were made, so no path is involved. Their descriptors are closed with all others.
func (c *compiler) makeReadonly() {
	for _, r := range c.readonly {
		c.Describe(r.note)
		c.MountSetattr(r.mnt.Arg(), "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY, 0, 0)
	}
	if c.spec.Root.Readonly {
		c.note(stepReadonlyRoot, "root.readonly", "make the root read-only", "")
		c.MountSetattr(c.root, "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY, 0, 0)
	}
}
