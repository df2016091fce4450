package compile

import (
	"fmt"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/bundle"
	"coracle/libcontainer/program"
	"coracle/libcontainer/source"
)

func quote(s string) string { return strconv.Quote(s) }

// mounts makes the mounts in list order, for later ones may lie in earlier ones.
//
// Every mount is complete, with all its flags, before it is attached, and it is
// attached to a pinned mount point, never to a path.
func (c *compiler) mounts() {
	c.keepMounts()
	for i, m := range c.spec.Mounts {
		o, err := bundle.ParseMountOptions(m)
		if err != nil {
			c.fail("mounts[%d].options: %w", i, err)
			return
		}
		mt := &mount{Mount: m, MountOptions: o, dest: path.Clean("/" + m.Destination)}
		mt.subject = program.Note{What: "mount", Object: m.Type, At: mt.dest, Pointer: "mounts[#]", Index: i}
		switch {
		case o.Bind:
			mt.subject.What, mt.subject.Object = "bind mount", m.Source
			c.bindMount(mt)
		case m.Type == "cgroup":
			c.joinCgroup()
			c.cgroupMount(mt)
		default:
			c.newMount(mt)
		}
	}
}

// mount is an entry of mounts on its way to be built.
type mount struct {
	specs.Mount
	bundle.MountOptions
	dest    string // cleaned
	subject program.Note
}

// note is the subject with explanations of what can go wrong with a file system.
func (m *mount) note() program.Note {
	n := m.subject
	n.Explain = m.explain
	return n
}

// notePoint is the subject with explanations about the mount point.
func (m *mount) notePoint() program.Note {
	n := m.subject
	n.Explain = mountPointError(m.subject, m.dest)
	return n
}

// refuse is the subject with one explanation for all errors.
func (m *mount) refuse(reason string) program.Note {
	n := m.subject
	n.Explain = func(syscall.Errno) string { return m.subject.Subject() + ": " + reason }
	return n
}

func (m *mount) explain(e syscall.Errno) string {
	hint := ""
	switch e {
	case unix.ENODEV:
		hint = fmt.Sprintf("the kernel has no file system %q", m.Type)
	case unix.EINVAL:
		if m.Bind || len(m.Params) == 0 {
			return ""
		}
		hint = "the file system does not accept the options " + strings.Join(m.Options, ",")
	default:
		return ""
	}
	return m.subject.Subject() + ": " + e.Error() + ": " + hint
}

// special file systems are only mounted on real directories: reached through a
// link they could end up where the image wants them.
func special(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2":
		return true
	}
	return false
}

// pseudo file systems have no device behind them that could be read-only.
func pseudo(fstype string) bool {
	switch fstype {
	case "tmpfs", "ramfs", "bpf", "debugfs", "tracefs", "securityfs", "binder":
		return true
	}
	return special(fstype)
}

// newMount mounts a new file system.
func (c *compiler) newMount(m *mount) {
	attr := m.Attr.Set&^m.TreeAttr.Clear | m.TreeAttr.Set
	params := m.Params
	mnt := c.mnt
	readonly := attr&unix.MOUNT_ATTR_RDONLY != 0
	if readonly && !pseudo(m.Type) {
		params = append([]bundle.MountParam{{Key: "ro"}}, params...)
	}
	if readonly && (m.Type == "tmpfs" || m.dest == "/dev") {
		// Mount points and devices still have to be made in it.
		attr &^= unix.MOUNT_ATTR_RDONLY
		mnt = c.Word("mnt"+strconv.Itoa(m.subject.Index), -1)
		c.readonly = append(c.readonly, readonlyMount{mnt, m.note()})
	}
	c.Describe(m.note())
	c.newFilesystem(m.Type, m.Source, params, attr, mnt)
	for _, p := range m.Propagation {
		c.MountSetattr(mnt.Arg(), "", unix.AT_EMPTY_PATH, 0, 0, p&^unix.MS_REC)
	}
	c.attach(m, mnt.Arg(), mountPoint{dir: true, strict: special(m.Type)}, m.Type == "proc")
	c.closeMount(m, mnt.Arg(), mnt == c.mnt)
}

// closeMount closes the descriptor of a mount that has been attached, unless it is
// needed once more. done tells that nobody else needs it.
func (c *compiler) closeMount(m *mount, mnt program.Arg, done bool) {
	if kept, ok := c.kept[m.subject.Index]; ok {
		c.SetArg(kept, mnt)
	} else if done {
		c.Close(mnt)
	}
}

// newFilesystem makes a detached mount of a new file system.
func (c *compiler) newFilesystem(fstype, src string, params []bundle.MountParam, attr uint64, into program.Word) {
	c.Fsopen(fstype).Into(c.fs)
	if src != "" {
		c.FsconfigString(c.fs.Arg(), "source", src)
	}
	for _, p := range params {
		if p.HasValue {
			c.FsconfigString(c.fs.Arg(), p.Key, p.Value)
		} else {
			c.FsconfigFlag(c.fs.Arg(), p.Key)
		}
	}
	c.FsconfigCreate(c.fs.Arg())
	c.Fsmount(c.fs.Arg(), attr).Into(into)
	c.Close(c.fs.Arg())
}

// bindMount mounts a tree that was taken and given its flags on the host.
func (c *compiler) bindMount(m *mount) {
	src := m.Source
	if !filepath.IsAbs(src) {
		src = filepath.Join(c.in.Bundle.Path, src) // config.md#mounts
	}
	isDir, err := c.in.Host.IsDir(src)
	if err != nil {
		c.fail("%s: source: %w", m.subject.Subject(), err)
		return
	}
	fd := c.source(source.Tree{What: m.subject.Text(), Pointer: m.subject.Where(), Path: src, Recursive: m.Recursive, Attrs: c.bindAttrs(m)})
	c.Describe(m.note())
	if m.dest == "/proc" {
		c.Describe(m.refuse("the source is not a procfs, and nothing else can be mounted at /proc"))
		c.Fstatfs(fd, c.statfs)
		c.Check(c.statfs.Type(), ^uint32(0), unix.PROC_SUPER_MAGIC, unix.EPERM)
		c.Describe(m.note())
	}
	c.attach(m, fd, mountPoint{dir: isDir, strict: m.dest == "/proc" || bundle.AllowedInProc(m.dest)}, bundle.AllowedInProc(m.dest))
	c.closeMount(m, fd, true)
}

// bindAttrs are the changes to the copy of the source. The copy would be a peer of
// the host's mount; it becomes what the rootfs is unless the mount says otherwise.
func (c *compiler) bindAttrs(m *mount) []source.Attr {
	var attrs []source.Attr
	switch p := bundle.Propagation(c.propagation()); {
	case p&unix.MS_SHARED != 0:
	case p&(unix.MS_PRIVATE|unix.MS_UNBINDABLE) != 0:
		attrs = append(attrs, source.Attr{Propagation: unix.MS_PRIVATE, Recursive: true})
	default:
		attrs = append(attrs, source.Attr{Propagation: unix.MS_SLAVE, Recursive: true})
	}
	if m.TreeAttr != (bundle.MountAttr{}) {
		attrs = append(attrs, source.Attr{Set: m.TreeAttr.Set, Clear: m.TreeAttr.Clear, Recursive: true})
	}
	if m.Attr != (bundle.MountAttr{}) {
		attrs = append(attrs, source.Attr{Set: m.Attr.Set, Clear: m.Attr.Clear})
	}
	for _, p := range m.Propagation {
		attrs = append(attrs, source.Attr{Propagation: p &^ unix.MS_REC, Recursive: p&unix.MS_REC != 0})
	}
	return attrs
}

// attach puts a detached mount at its place. Only what is allowed to be may land
// on a procfs, by whatever path it got there.
func (c *compiler) attach(m *mount, mnt program.Arg, at mountPoint, procAllowed bool) {
	c.Describe(m.notePoint())
	c.openOrMake(relative(m.dest), at, c.target)
	if !procAllowed {
		ok := c.Label()
		c.Fstatfs(c.target.Arg(), c.statfs)
		c.Check(c.statfs.Type(), ^uint32(0), unix.PROC_SUPER_MAGIC, 0).Else(ok)
		c.Describe(m.refuse("the mount point is in a procfs, where nothing may be covered"))
		c.Fail(unix.EPERM)
		c.Bind(ok)
	}
	c.Describe(m.notePoint())
	if !at.dir {
		// The kernel would only say that an argument is invalid.
		ok := c.Label()
		c.Statx(c.target.Arg(), "", unix.AT_EMPTY_PATH, c.stat)
		c.Check(c.stat.Mode(), unix.S_IFMT, unix.S_IFDIR, 0).Else(ok)
		c.Fail(unix.EISDIR)
		c.Bind(ok)
	}
	c.MoveMount(mnt, c.target.Arg())
	c.Close(c.target.Arg())
}

// makeReadonly gives read-only mounts and the root their last attribute. They were
// pinned when they were made; no path is involved. Their descriptors are closed with
// all others.
func (c *compiler) makeReadonly() {
	for _, r := range c.readonly {
		c.Describe(r.note)
		c.MountSetattr(r.mnt.Arg(), "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY, 0, 0)
	}
	if c.spec.Root.Readonly {
		c.note("root.readonly", "make the root read-only", "")
		c.MountSetattr(c.root, "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY, 0, 0)
	}
}
