// Package source opens what an init program gets from the host: the trees to mount in the
// container, and the namespaces to join.
//
// Everything here happens on the host side, before the program runs. Paths of the host are
// trusted. Each is resolved once, pinned by a descriptor, and never looked up again. A tree is a
// detached mount: all its attributes are set before the program can attach it anywhere. This
// needs Linux 5.12.
package source

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/oci/bundle"
)

// Source is something to open.
type Source interface {
	// Open returns a close-on-exec descriptor.
	Open(opened Opened) (int, error)
}

// Opened returns the descriptor of another source that is open already, by the number of its
// descriptor in the program.
type Opened func(number int) (fd int)

// Attr is one call of mount_setattr(2).
type Attr struct {
	Set, Clear  uint64
	Propagation uint64 // MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE
	Recursive   bool
	// When restricts the change to a mount that updates access times in this way.
	When bundle.AccessTimes `json:",omitempty"`
	// Lockable means that the mount may keep attributes that the host has locked, with a warning.
	Lockable bool `json:",omitempty"`
	// IDMap, when not 0, is the number of a source that is a user namespace; its mappings apply
	// to the owners of files.
	IDMap int `json:",omitempty"`
}

// Tree is a detached copy of a mount, or of the part of one below a directory
// or file.
type Tree struct {
	// What and Property name it in errors: `bind mount "/data"`, "mounts[2]".
	What, Property string
	Path           string
	// NoFollow means that Path is not followed if it is a symbolic link.
	NoFollow bool `json:",omitempty"`
	// NoLinks says that no symbolic link is on the way: one that is there by now is an error. Dir
	// says that it is a directory then.
	NoLinks bool `json:",omitempty"`
	Dir     bool `json:",omitempty"`
	// Recursive includes the mounts below Path.
	Recursive bool
	// Attrs are applied in order.
	Attrs []Attr
	// Warn, when not nil, receives warnings.
	Warn func(text string) `json:"-"`
	// Node, when not zero, requires that Path is this device.
	Node Node
}

// Node is a device.
type Node struct {
	Type uint32 // unix.S_IFCHR or unix.S_IFBLK
	Dev  uint64 // as from unix.Mkdev
}

// Null is the null device.
var Null = Node{Type: unix.S_IFCHR, Dev: 1<<8 | 3}

func (n Node) String() string {
	kind := "character"
	if n.Type == unix.S_IFBLK {
		kind = "block"
	}
	return fmt.Sprintf("%s device %d:%d", kind, unix.Major(n.Dev), unix.Minor(n.Dev))
}

// Open opens the tree.
func (t Tree) Open(opened Opened) (int, error) {
	fd, err := t.take()
	if err != nil {
		return -1, t.failure("", err)
	}
	if err := t.prepare(fd, opened); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// take takes the tree.
func (t Tree) take() (int, error) {
	if !t.NoLinks {
		//allow:path a path of the host that the caller has named
		return unix.OpenTree(unix.AT_FDCWD, t.Path, unix.OPEN_TREE_CLOEXEC|t.Flags())
	}
	//allow:path the same
	at, err := unix.Openat2(unix.AT_FDCWD, t.Path, &unix.OpenHow{Flags: unix.O_CLOEXEC | t.LookupFlags(), Resolve: unix.RESOLVE_NO_SYMLINKS})
	if err != nil {
		return -1, err
	}
	defer unix.Close(at)
	return unix.OpenTree(at, "", unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|t.Flags())
}

// LookupFlags are those of openat2(2) for a path without links, but for that which closes the
// descriptor on exec.
func (t Tree) LookupFlags() uint64 {
	if t.Dir {
		// Which mounts what is to be mounted there on demand (autofs).
		return unix.O_PATH | unix.O_DIRECTORY
	}
	return unix.O_PATH
}

// Flags returns the flags of open_tree(2), except OPEN_TREE_CLOEXEC.
func (t Tree) Flags() uint {
	flags := uint(unix.OPEN_TREE_CLONE)
	if t.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	if t.NoFollow {
		flags |= unix.AT_SYMLINK_NOFOLLOW
	}
	return flags
}

func (t Tree) prepare(fd int, opened Opened) error {
	if t.Node != (Node{}) {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return t.failure("fstat", err)
		}
		if st.Mode&unix.S_IFMT != t.Node.Type || st.Rdev != t.Node.Dev {
			return t.failure("", fmt.Errorf("%s is not %s", t.Path, t.Node))
		}
	}
	for _, a := range t.Attrs {
		if a.When != bundle.AnyTimes {
			var fs unix.Statfs_t
			if err := unix.Fstatfs(fd, &fs); err != nil {
				return t.failure("fstatfs", err)
			}
			if a.When != bundle.TimesOfStatfs(uint64(fs.Flags)) {
				continue
			}
		}
		attr := unix.MountAttr{Attr_set: a.Set, Attr_clr: a.Clear, Propagation: a.Propagation}
		if a.IDMap != 0 {
			attr.Attr_set |= unix.MOUNT_ATTR_IDMAP
			attr.Userns_fd = uint64(opened(a.IDMap))
		}
		err := unix.MountSetattr(fd, "", a.flags(), &attr)
		if a.Lockable && errors.Is(err, unix.EPERM) {
			err = t.unlocked(fd, a)
		}
		if err != nil {
			return t.failure("mount_setattr", a.Hint(err))
		}
	}
	return nil
}

// unlocked applies as much of a change as the host's locks allow.
func (t Tree) unlocked(fd int, a Attr) error {
	change := bundle.MountAttr{Set: a.Set, Clear: a.Clear, Recursive: a.Recursive}
	for _, part := range change.Parts() {
		attr := unix.MountAttr{Attr_set: part.Set, Attr_clr: part.Clear}
		err := unix.MountSetattr(fd, "", a.flags(), &attr)
		keeps := part.Locked()
		if err != nil && (keeps == "" || !errors.Is(err, unix.EPERM)) {
			return err
		}
		if err != nil && t.Warn != nil {
			t.Warn(bundle.LockedText(t.subject(), keeps))
		}
	}
	return nil
}

// subject names the tree.
func (t Tree) subject() string {
	if t.Property != "" {
		return t.What + " (" + t.Property + ")"
	}
	return t.What
}

// flags returns the flags of mount_setattr(2).
func (a Attr) flags() uint {
	flags := uint(unix.AT_EMPTY_PATH)
	if a.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	return flags
}

// Hint explains an error of the kernel for this change.
func (a Attr) Hint(err error) error {
	switch {
	case a.IDMap == 0:
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w: the file system, or one below it, cannot have a mapping of ids, or has one already", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: a mapping of ids needs privileges over the file system", err)
	}
	return err
}

// failure returns an error about the tree.
func (t Tree) failure(call string, err error) error {
	what := t.subject()
	if call != "" {
		what += ": " + call
	}
	return fault.Facts{Op: cmp.Or(call, "open_tree"), Property: t.Property, HostPath: t.Path}.Errorf("%s: %w", what, err)
}

// Dir is a directory of the host.
type Dir struct {
	What, Path string
}

// Open opens the directory for lookups only.
func (d Dir) Open(Opened) (int, error) {
	//allow:path a directory of the host, which the caller has named
	fd, err := unix.Open(d.Path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fault.Facts{Op: "open", HostPath: d.Path}.Errorf("%s: %w", d.What, err)
	}
	return fd, nil
}

// Namespace is a namespace to join.
type Namespace struct {
	Property string
	Name     string // as in the configuration: "network"
	Path     string
	Flag     uint64 // CLONE_NEW*
	// Alters is a property that changes the namespace, so that the host's namespace is refused.
	// It is empty when no property does.
	Alters string `json:",omitempty"`
}

// Open opens the namespace and checks its type.
func (n Namespace) Open(Opened) (int, error) {
	//allow:path a namespace that the caller has named; its type is checked
	fd, err := unix.Open(n.Path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return -1, fault.About(n.Property, "%s namespace (%s): %w", n.Name, n.Property, &os.PathError{Op: "open", Path: n.Path, Err: err})
	}
	got, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	switch {
	case err != nil:
		err = fault.Facts{Property: n.Property, HostPath: n.Path}.Errorf("%s namespace (%s): %s is not a namespace", n.Name, n.Property, n.Path)
	case uint64(got) != n.Flag:
		err = fault.Facts{Property: n.Property, HostPath: n.Path}.Errorf("%s namespace (%s): %s is a namespace of another type", n.Name, n.Property, n.Path)
	case n.Alters != "" && n.isHost(fd):
		err = HostError{n.Alters, fmt.Sprintf("the %s namespace %s is that of the host, which must not change", n.Name, n.Path)}
	default:
		return fd, nil
	}
	unix.Close(fd)
	return -1, err
}

// HostError means that a namespace is the host's and must not be changed.
type HostError struct {
	// Property is the property that would change it.
	Property string
	// Text continues the name of the property.
	Text string
}

// Facts makes it a [fault.Knower].
func (e HostError) Facts() fault.Facts {
	return fault.Facts{Code: fault.ConfigInvalid, Property: e.Property}
}

func (e HostError) Error() string { return e.Property + ": " + e.Text }

// isHost reports whether a namespace is the host's: that of this process, of process 1, or the
// initial one. On an error it returns true.
func (n Namespace) isHost(fd int) bool {
	var theirs, ours, first unix.Stat_t
	file := n.Name // in /proc/PID/ns
	// The initial namespaces have fixed inode numbers.
	initial := uint64(0)
	switch n.Flag {
	case unix.CLONE_NEWNET:
		file, initial = "net", 0xeffffff9 // since Linux 6.18; no other namespace has this number
	case unix.CLONE_NEWNS:
		file, initial = "mnt", 0xeffffff8
	case unix.CLONE_NEWIPC:
		initial = 0xefffffff
	case unix.CLONE_NEWUTS:
		initial = 0xeffffffe
	case unix.CLONE_NEWUSER:
		initial = 0xeffffffd
	}
	//allow:path the host's /proc
	if unix.Fstat(fd, &theirs) != nil || unix.Stat("/proc/self/ns/"+file, &ours) != nil {
		return true
	}
	same := func(a, b *unix.Stat_t) bool { return a.Dev == b.Dev && a.Ino == b.Ino }
	//allow:path the host's /proc; not every user may look at process 1
	return same(&theirs, &ours) || unix.Stat("/proc/1/ns/"+file, &first) == nil && same(&theirs, &first) || theirs.Ino == initial
}

// Held is a descriptor that is open already. Its owner keeps it; the program gets a copy.
type Held struct {
	What string
	FD   int
}

// Open copies the descriptor.
func (h Held) Open(Opened) (int, error) {
	fd, err := unix.FcntlInt(uintptr(h.FD), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", h.What, os.NewSyscallError("fcntl", err))
	}
	return fd, nil
}

// Describe returns a text about a source.
func Describe(s Source) string {
	switch s := s.(type) {
	case Tree:
		kind := "tree"
		if s.Recursive {
			kind = "tree with submounts"
		}
		return fmt.Sprintf("%s of %s", kind, s.Path)
	case Device:
		return fmt.Sprintf("new %s, mode %#o, of %d:%d", s.Node, s.Mode, s.UID, s.GID)
	case Dir:
		return "directory " + s.Path
	case Held:
		return s.What
	case IDMap:
		return fmt.Sprintf("user namespace with the ids %s and the group ids %s", ranges(s.UIDs), ranges(s.GIDs))
	case Namespace:
		return fmt.Sprintf("%s namespace %s", s.Name, s.Path)
	case New:
		return "new " + s.Name + " namespace"
	}
	return "?"
}
