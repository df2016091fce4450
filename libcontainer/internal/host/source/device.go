package source

import (
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/oci/bundle"
)

// Device is a new device node for a container with a user namespace. A process in the namespace
// cannot create device nodes, and cannot use nodes on file systems that were mounted in it.
//
// The node is the only file on its file system, which belongs to the runtime's user namespace.
// Changes of its mode and owner by the container affect nothing else.
type Device struct {
	// What and Property name it in errors.
	What, Property string
	Node           Node
	Mode           uint32 // permissions
	// UID and GID are ids of the host.
	UID, GID uint32
	// Params are parameters of the tmpfs: the label of the container's file systems.
	Params []bundle.MountParam
}

// Open creates the node in a process with its own copy of the mount namespace, because the kernel
// can copy only trees that are mounted. The process has ended when the function returns.
func (d Device) Open(Opened) (int, error) {
	p, err := d.program(copySocket)
	if err != nil {
		return -1, err
	}
	return fromCopy(p, d.note())
}

func (d Device) note() *program.Note { return &program.Note{What: d.What, Property: d.Property} }

func (d Device) program(socket int) (*program.Program, error) {
	const name = "node"
	b := program.NewBuilder(socket)
	b.Describe(*d.note())
	fs, mnt, tree := b.Word("fs", -1), b.Word("mnt", -1), b.Word("tree", -1)
	b.Umask(program.Int(0))
	//allow:path the root of the program's own mount namespace
	b.MountSetattr(program.Cwd(), "/", unix.AT_RECURSIVE, 0, 0, unix.MS_SLAVE)
	b.Fsopen("tmpfs").Into(fs)
	for _, p := range d.Params {
		b.FsconfigString(fs.Arg(), p.Key, p.Value)
	}
	b.FsconfigCreate(fs.Arg())
	b.Fsmount(fs.Arg(), unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC).Into(mnt)
	// Mount it on the root, where no path leads to it.
	//allow:path the same
	b.MoveMountAt(mnt.Arg(), program.Cwd(), "/")
	b.Mknodat(mnt.Arg(), name, d.Node.Type|d.Mode, d.Node.Dev)
	b.Fchownat(mnt.Arg(), name, int64(d.UID), int64(d.GID), unix.AT_SYMLINK_NOFOLLOW)
	b.OpenTree(mnt.Arg(), name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC).Into(tree)
	b.MountSetattr(tree.Arg(), "", unix.AT_EMPTY_PATH, 0, 0, unix.MS_PRIVATE)
	b.SendFD(program.FD(socket), protocol.ValueOf(protocol.ValueTree).Encode(), tree.Arg())
	return b.Finish()
}
