package compile

import (
	"path"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
)

// device is a device node to create.
type device struct {
	path     string // cleaned, in the container
	mode     uint32 // with the type
	dev      uint64
	uid, gid uint32
	given    bool   // the configuration gives the mode
	pointer  string // with a # for index
	index    int
}

func (d *device) note() program.Note {
	return program.Note{Step: stepDevice, What: "make the device", Object: d.path, Property: d.pointer, Index: d.index}
}

// noteExisting returns the note with an explanation for a name that exists already.
func (d *device) noteExisting() program.Note {
	n := d.note()
	subject := n
	n.Explain = func(e syscall.Errno) string {
		if e != unix.EEXIST {
			return ""
		}
		return subject.Subject() + ": something else exists at this path"
	}
	return n
}

// defaultDevices must be there in every container (config-linux.md#default-devices).
var defaultDevices = []struct {
	name         string
	major, minor uint32
}{
	{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
}

// devLinks are the links that programs expect in /dev (runtime-linux.md#dev-symbolic-links),
// and the ptmx of the container's own devpts.
var devLinks = []struct{ name, target string }{
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
	{"core", "/proc/kcore"},
}

// hostDev reports whether /dev of the container is a directory of the host, in which nothing may
// be created.
func (c *compiler) hostDev() bool {
	bind := false
	for _, m := range c.list {
		if m.dest == "/dev" && m.isMount() {
			bind = m.Bind
		}
	}
	return bind
}

// devices makes the device nodes and links of /dev.
func (c *compiler) devices() {
	if c.hostDev() {
		if c.spec.Linux != nil && len(c.spec.Linux.Devices) > 0 {
			c.remark("linux.devices", "/dev is a bind mount; no devices are made in it")
		}
		return
	}
	configured := c.configuredDevices()
	dev := c.dev()
	for _, d := range defaultDevices {
		p := "/dev/" + d.name
		if !configured[p] {
			c.makeNode(dev, device{path: p, mode: unix.S_IFCHR | 0o666, dev: unix.Mkdev(d.major, d.minor)})
		}
	}
	if c.spec.Linux != nil {
		for i, d := range c.spec.Linux.Devices {
			c.configuredDevice(i, d, dev)
		}
	}
	c.note(stepDevLinks, "", "make the links in /dev", "")
	for _, l := range devLinks {
		if !configured["/dev/"+l.name] {
			c.Symlinkat(l.target, dev, l.name).Allow(unix.EEXIST)
		}
	}
	if !configured["/dev/ptmx"] {
		// Another ptmx, from the image or an outer devpts, would allocate terminals that are not
		// the container's.
		c.note(stepDevPtmx, "", "link /dev/ptmx to the container's devpts", "")
		c.Unlinkat(dev, "ptmx", 0).Allow(unix.ENOENT)
		c.Symlinkat("pts/ptmx", dev, "ptmx")
	}
}

// dev is /dev, pinned until the set-up is done: the mount that was made there, or that directory
// of the rootfs.
//
// Attacker: the image. As a link it could lead to a directory of the host that is mounted
// somewhere else, in which nodes would be made and removed; and a link elsewhere can lead a
// volume to /dev, on top of what was mounted there.
func (c *compiler) dev() program.Arg {
	if i := c.liesIn("/dev"); i >= 0 && c.list[i].dest == "/dev" {
		return c.kept[i]
	}
	if c.devDir == 0 {
		c.devDir = c.Word("dev", -1)
		n := program.Note{Step: stepOpenDev, What: "open", Object: "/dev"}
		n.Explain = mountPointError(n, "/dev")
		c.Describe(n)
		c.openOrMake("dev", mountPoint{dir: true, strict: true}, c.devDir)
		c.StatxMountNumber(c.devDir.Arg(), c.stat)
		c.CheckSame(c.stat.MountID(), c.numbers.word[c.liesIn("/dev")], unix.EXDEV)
	}
	return c.devDir.Arg()
}

func (c *compiler) configuredDevices() map[string]bool {
	paths := make(map[string]bool)
	if c.spec.Linux != nil {
		for _, d := range c.spec.Linux.Devices {
			paths[path.Clean(d.Path)] = true
		}
	}
	return paths
}

func (c *compiler) configuredDevice(i int, d specs.LinuxDevice, dev program.Arg) {
	n := device{path: path.Clean(d.Path), mode: 0o666, pointer: "linux.devices[#]", index: i}
	if d.FileMode != nil {
		n.mode, n.given = uint32(*d.FileMode)&^unix.S_IFMT, true
	}
	if d.UID != nil {
		n.uid = *d.UID
	}
	if d.GID != nil {
		n.gid = *d.GID
	}
	switch d.Type {
	case "c", "u":
		n.mode |= unix.S_IFCHR
	case "b":
		n.mode |= unix.S_IFBLK
	case "p":
		n.mode |= unix.S_IFIFO
	}
	if d.Type != "p" {
		n.dev = unix.Mkdev(uint32(d.Major), uint32(d.Minor))
	}
	if path.Dir(n.path) == "/dev" {
		c.makeNode(dev, n)
		return
	}
	c.Describe(n.note())
	if parent := relative(path.Dir(n.path)); parent != "" {
		defer c.block()()
		target := c.take("target")
		about := protocol.Device(i)
		c.openOrMake(parent, mountPoint{dir: true, made: &made{about}}, target)
		c.askPlace(target.Arg(), c.liesIn(parent), about)
		c.makeNode(target.Arg(), n)
		c.Close(target.Arg())
	} else {
		c.makeNode(c.root, n)
	}
}

// makeNode creates a device node below its pinned parent. Something that exists already has to be
// the same device, and stays as it is; a symbolic link is refused.
func (c *compiler) makeNode(dir program.Arg, d device) {
	name := path.Base(d.path)
	if d.mode&unix.S_IFMT != unix.S_IFIFO && (c.privileged() || c.in.Host.Nested) {
		c.bindNode(dir, name, d)
		return
	}
	defer c.block()()
	tmp := c.take("tmp")
	c.Describe(d.noteExisting())
	exists, done := c.Label(), c.Label()
	c.Mknodat(dir, name, d.mode, d.dev).Allow(unix.EEXIST).Else(exists)
	if d.uid != 0 || d.gid != 0 {
		// If other processes can change the directory, the name may mean something else by now.
		// The owner is set only on the requested node.
		c.pinNode(dir, name, d, tmp)
		c.Fchownat(tmp.Arg(), "", int64(d.uid), int64(d.gid), unix.AT_EMPTY_PATH)
		c.Close(tmp.Arg())
	}
	c.Jump(done)

	c.Bind(exists)
	c.pinNode(dir, name, d, tmp)
	c.Close(tmp.Arg())
	c.Bind(done)
}

// bindNode mounts a device from outside at a name below its pinned parent, because no process in
// a user namespace can create one.
func (c *compiler) bindNode(dir program.Arg, name string, d device) {
	tree, ok := c.nodeTree(d)
	if !ok {
		return
	}
	defer c.block()()
	tmp := c.take("tmp")
	c.Describe(d.noteExisting())
	cover, done := c.Label(), c.Label()
	made := c.Openat(dir, name, unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_RDONLY, 0o644).Into(tmp).Allow(unix.EEXIST)
	if d.pointer != "" {
		// The runtime explains what is denied, because it knows the ids of the host.
		denied, there := c.Label(), c.Label()
		made.Allow(unix.EACCES, unix.EPERM, unix.EOVERFLOW).Else(denied)
		c.Jump(there)
		c.Bind(denied)
		c.askAt(protocol.PointMakeFile, protocol.Device(d.index), program.Int(0))
		c.Bind(there)
	}
	c.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0).Into(tmp)
	c.Statx(tmp.Arg(), "", unix.AT_EMPTY_PATH, c.stat)
	// A regular file was left by an earlier run of the container, or just created.
	c.JumpIf(c.stat.Mode(), unix.S_IFMT, unix.S_IFREG, cover)
	c.checkNode(d)
	c.Jump(done)
	c.Bind(cover)
	c.MoveMount(tree, tmp.Arg())
	c.Bind(done)
	c.Close(tmp.Arg())
	c.Close(tree)
}

// nodeTree returns a device from outside: a new node as configured, if the runtime may create
// one, and otherwise the host's node.
func (c *compiler) nodeTree(d device) (tree program.Arg, ok bool) {
	n := d.note()
	node := source.Node{Type: d.mode & unix.S_IFMT, Dev: d.dev}
	configured := d.pointer != ""
	if configured && c.privileged() && !c.in.Host.Nested && !c.in.Host.OpensNothing && c.in.Host.can(unix.CAP_SYS_ADMIN, unix.CAP_MKNOD) {
		uids, gids := c.mappings()
		uid, uidOK := uids.ToHost(d.uid)
		gid, gidOK := gids.ToHost(d.gid)
		if uidOK && gidOK {
			return c.source(source.Device{
				What: n.Text(), Property: n.Where(), Node: node, Mode: d.mode & 0o7777, UID: uid, GID: gid, Params: c.withMountLabel("tmpfs", nil),
			}), true
		}
	}
	host := d.path
	if configured && c.in.Host.NodePath != nil {
		if host, ok = c.in.Host.NodePath(d.path, node); !ok {
			c.fail(n.Where(), "%s: without privileges on the host only a device of the host can be used, and the host has no %s, neither at %s nor elsewhere in /dev", n.Text(), node, d.path)
			return tree, false
		}
	}
	if configured && (d.given || d.uid != 0 || d.gid != 0) {
		c.remark(n.Where(), "fileMode, uid and gid are those of the host's device: without privileges on the host there is no other")
	}
	return c.source(source.Tree{
		What: n.Text(), Property: n.Where(), Path: host, Node: node,
		// Read-only: see maskedPaths.
		Attrs: []source.Attr{
			{Set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC},
			{Propagation: unix.MS_PRIVATE},
		},
	}), true
}

// pinNode opens a name with O_PATH, and fails with EEXIST when it is not the wanted device.
func (c *compiler) pinNode(dir program.Arg, name string, d device, into program.Word) {
	c.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0).Into(into)
	c.Statx(into.Arg(), "", unix.AT_EMPTY_PATH, c.stat)
	c.checkNode(d)
}

// checkNode fails with EEXIST when stat does not describe the wanted device.
func (c *compiler) checkNode(d device) {
	c.Check(c.stat.Mode(), unix.S_IFMT, d.mode&unix.S_IFMT, unix.EEXIST)
	if d.mode&unix.S_IFMT != unix.S_IFIFO {
		c.Check(c.stat.RdevMajor(), ^uint32(0), unix.Major(d.dev), unix.EEXIST)
		c.Check(c.stat.RdevMinor(), ^uint32(0), unix.Minor(d.dev), unix.EEXIST)
	}
}
