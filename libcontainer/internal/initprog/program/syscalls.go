package program

import (
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/protocol"
)

// The calls below are the whole vocabulary of init programs: they show what a program can do to a
// container. Each adds one op. Paths are stored in the image; descriptors are arguments made by
// FD or Word.Arg.

// Cwd is the current working directory as the directory argument of a call.
func Cwd() Arg { return Arg{value: uint64(^uint64(99)), format: formatFD} } // AT_FDCWD

// Lookup says how a path is walked: open(2)'s flags and openat2(2)'s RESOLVE_*.
type Lookup struct {
	Flags   uint64
	Mode    uint64
	Resolve uint64
}

// Openat2 opens a path below a directory. It is repeated while the kernel fails with EAGAIN
// because of a concurrent rename.
func (b *Builder) Openat2(dir Arg, path string, how Lookup) Op {
	a, ok := b.lookups[how]
	if !ok {
		a = b.Bytes(encode64(how.Flags, how.Mode, how.Resolve))
		b.lookups[how] = a
	}
	return b.Syscall(unix.SYS_OPENAT2, dir, b.String(path), Arg{value: uint64(a), format: formatLookup}, Int(unix.SizeofOpenHow)).RetryEAGAIN()
}

// Openat opens or creates a path; it is for trusted paths and for the last
// component of a path whose parent is already pinned.
func (b *Builder) Openat(dir Arg, path string, flags int, mode uint32) Op {
	return b.Syscall(unix.SYS_OPENAT, dir, b.String(path), flag(formatOpen, uint64(flags)), Mode(mode))
}

// Close closes a descriptor. Its result is ignored.
func (b *Builder) Close(fd Arg) Op {
	return b.Syscall(unix.SYS_CLOSE, fd).Allow(AnyError)
}

// CloseFrom closes all descriptors from first to last.
func (b *Builder) CloseFrom(first Arg, last uint32) Op {
	return b.Syscall(unix.SYS_CLOSE_RANGE, first, Hex(uint64(last)), Int(0))
}

// Dup3 makes to a duplicate of from.
func (b *Builder) Dup3(from, to Arg, flags int) Op {
	return b.Syscall(unix.SYS_DUP3, from, to, flag(formatOpen, uint64(flags)))
}

// CloseOnExec makes execve close a descriptor.
func (b *Builder) CloseOnExec(fd Arg) Op {
	return b.Syscall(unix.SYS_FCNTL, fd, flag(formatFcntl, unix.F_SETFD), Int(unix.FD_CLOEXEC))
}

// GetFlags is fcntl(F_GETFL): the result is the open file's flags (O_ACCMODE).
func (b *Builder) GetFlags(fd Arg) Op {
	return b.Syscall(unix.SYS_FCNTL, fd, flag(formatFcntl, unix.F_GETFL))
}

// Mkdirat makes a directory.
func (b *Builder) Mkdirat(dir Arg, name string, mode uint32) Op {
	return b.Syscall(unix.SYS_MKDIRAT, dir, b.String(name), Mode(mode))
}

// Mknodat makes a node of the given type, mode and device number.
func (b *Builder) Mknodat(dir Arg, name string, mode uint32, dev uint64) Op {
	return b.Syscall(unix.SYS_MKNODAT, dir, b.String(name), Mode(mode), Hex(dev))
}

// Symlinkat makes a symbolic link.
func (b *Builder) Symlinkat(target string, dir Arg, name string) Op {
	return b.Syscall(unix.SYS_SYMLINKAT, b.String(target), dir, b.String(name))
}

// Unlinkat removes a name.
func (b *Builder) Unlinkat(dir Arg, name string, flags int) Op {
	return b.Syscall(unix.SYS_UNLINKAT, dir, b.String(name), flag(formatAt, uint64(flags)))
}

// Fchownat changes the owner of a name below a directory, or of a descriptor with AT_EMPTY_PATH.
// An id of -1 leaves the owner unchanged.
func (b *Builder) Fchownat(dir Arg, name string, uid, gid int64, flags int) Op {
	return b.Syscall(unix.SYS_FCHOWNAT, dir, b.String(name), Int(uid), Int(gid), flag(formatAt, uint64(flags)))
}

// Fchmod changes the mode of an open file. The kernel ignores bits that are not mode bits.
func (b *Builder) Fchmod(fd, mode Arg) Op { return b.Syscall(unix.SYS_FCHMOD, fd, mode) }

// Fsetxattr sets an extended attribute of an open file.
func (b *Builder) Fsetxattr(fd Arg, name, value string) Op {
	return b.Syscall(unix.SYS_FSETXATTR, fd, b.String(name), b.String(value), Int(len(value)), Int(0))
}

// Statx gets the attributes of a name below a directory, or of a descriptor with AT_EMPTY_PATH.
func (b *Builder) Statx(dir Arg, name string, flags int, s Statx) Op {
	return b.Syscall(unix.SYS_STATX, dir, b.String(name), flag(formatAt, uint64(flags)), flag(formatStatx, unix.STATX_BASIC_STATS), Ptr(s.addr))
}

// StatxMount asks for the unique id of the mount that a descriptor is in.
func (b *Builder) StatxMount(fd Arg, s Statx) Op {
	return b.Syscall(unix.SYS_STATX, fd, b.String(""), flag(formatAt, unix.AT_EMPTY_PATH), flag(formatStatx, unix.STATX_MNT_ID_UNIQUE), Ptr(s.addr))
}

// StatxMountNumber asks for the mount that a descriptor lies in, see [Statx.MountID].
func (b *Builder) StatxMountNumber(fd Arg, s Statx) Op {
	return b.Syscall(unix.SYS_STATX, fd, b.String(""), flag(formatAt, unix.AT_EMPTY_PATH), flag(formatStatx, unix.STATX_MNT_ID), Ptr(s.addr))
}

// Statx is a buffer that statx(2) fills, and the words in it.
type Statx struct{ addr Addr }

// NewStatx reserves the buffer.
func (b *Builder) NewStatx(name string) Statx {
	s := Statx{b.Buffer(name, 256)}
	b.name(s.addr, name+".mask")
	b.name(s.addr+16, name+".nlink")
	b.name(s.addr+20, name+".uid")
	b.name(s.addr+28, name+".mode")
	b.name(s.addr+32, name+".ino")
	b.name(s.addr+128, name+".rdev_major")
	b.name(s.addr+132, name+".rdev_minor")
	b.name(s.addr+144, name+".mnt_id")
	b.name(s.addr+148, name+".mnt_id.high")
	return s
}

// Mask says which fields the kernel has filled in: STATX_*.
func (s Statx) Mask() Word { return Word(s.addr) }

// MountLow is the lower half of the id of the mount.
func (s Statx) MountLow() Word { return Word(s.addr + 144) }

// MountHigh is the upper half.
func (s Statx) MountHigh() Word { return Word(s.addr + 148) }

// Nlink is the number of hard links of the file.
func (s Statx) Nlink() Word { return Word(s.addr + 16) }

// UID is the owner.
func (s Statx) UID() Word { return Word(s.addr + 20) }

// Mode holds the type and mode in its lower 16 bits; see [unix.S_IFMT].
func (s Statx) Mode() Word { return Word(s.addr + 28) }

// Ino is the lower 32 bits of the inode number.
func (s Statx) Ino() Word { return Word(s.addr + 32) }

// RdevMajor is the major number of a device node.
func (s Statx) RdevMajor() Word { return Word(s.addr + 128) }

// RdevMinor is the minor number of a device node.
func (s Statx) RdevMinor() Word { return Word(s.addr + 132) }

// MountID is the number of the mount, after [Builder.StatxMountNumber]. No other mount has it as
// long as this one exists.
func (s Statx) MountID() Word { return Word(s.addr + 144) }

// Fstatfs gets the file system of a descriptor.
func (b *Builder) Fstatfs(fd Arg, s Statfs) Op {
	return b.Syscall(unix.SYS_FSTATFS, fd, Ptr(s.addr))
}

// Statfs is a buffer that fstatfs(2) fills.
type Statfs struct{ addr Addr }

// NewStatfs reserves the buffer.
func (b *Builder) NewStatfs(name string) Statfs {
	s := Statfs{b.Buffer(name, 128)}
	b.name(s.addr, name+".type")
	b.name(s.addr+80, name+".flags")
	return s
}

// Type is the magic number of the file system.
func (s Statfs) Type() Word { return Word(s.addr) }

// Flags has the flags of the mount: ST_NOATIME etc.
func (s Statfs) Flags() Word { return Word(s.addr + 80) }

// Fsopen opens a context for a new file system.
func (b *Builder) Fsopen(fstype string) Op {
	return b.Syscall(unix.SYS_FSOPEN, b.String(fstype), flag(formatFsopen, unix.FSOPEN_CLOEXEC))
}

// FsconfigString sets a parameter of a file system with a value.
func (b *Builder) FsconfigString(fs Arg, key, value string) Op {
	return b.Syscall(unix.SYS_FSCONFIG, fs, flag(formatFsconfig, unix.FSCONFIG_SET_STRING), b.String(key), b.String(value), Int(0))
}

// FsconfigFlag sets a parameter of a file system without a value.
func (b *Builder) FsconfigFlag(fs Arg, key string) Op {
	return b.Syscall(unix.SYS_FSCONFIG, fs, flag(formatFsconfig, unix.FSCONFIG_SET_FLAG), b.String(key), Int(0), Int(0))
}

// FsconfigFD sets a parameter of a file system to what a descriptor stands for.
func (b *Builder) FsconfigFD(fs Arg, key string, fd Arg) Op {
	return b.Syscall(unix.SYS_FSCONFIG, fs, flag(formatFsconfig, unix.FSCONFIG_SET_FD), b.String(key), Int(0), fd)
}

// FsconfigCreate creates the file system with its parameters.
func (b *Builder) FsconfigCreate(fs Arg) Op {
	return b.Syscall(unix.SYS_FSCONFIG, fs, flag(formatFsconfig, unix.FSCONFIG_CMD_CREATE), Int(0), Int(0), Int(0))
}

// Fspick opens the file system of a pinned mount for changes.
func (b *Builder) Fspick(mnt Arg) Op {
	return b.Syscall(unix.SYS_FSPICK, mnt, b.String(""), flag(formatFspick, unix.FSPICK_CLOEXEC|unix.FSPICK_EMPTY_PATH))
}

// FsconfigReconfigure applies new parameters to the file system.
func (b *Builder) FsconfigReconfigure(fs Arg) Op {
	return b.Syscall(unix.SYS_FSCONFIG, fs, flag(formatFsconfig, unix.FSCONFIG_CMD_RECONFIGURE), Int(0), Int(0), Int(0))
}

// Fsmount makes a detached mount of a new file system.
func (b *Builder) Fsmount(fs Arg, attrs uint64) Op {
	return b.Syscall(unix.SYS_FSMOUNT, fs, flag(formatFsmount, unix.FSMOUNT_CLOEXEC), flag(formatMountAttr, attrs))
}

// OpenTree opens a mount or, with OPEN_TREE_CLONE, makes a detached copy of it.
func (b *Builder) OpenTree(dir Arg, path string, flags uint) Op {
	return b.Syscall(unix.SYS_OPEN_TREE, dir, b.String(path), flag(formatOpenTree, uint64(flags)))
}

// MountSetattr changes the attributes of a mount.
func (b *Builder) MountSetattr(dir Arg, path string, flags uint, set, clr, propagation uint64) Op {
	attr := Arg{value: uint64(b.Bytes(encode64(set, clr, propagation, 0))), format: formatMountSetattr}
	return b.Syscall(unix.SYS_MOUNT_SETATTR, dir, b.String(path), flag(formatAt, uint64(flags)), attr, Int(sizeofMountAttr))
}

// MountIDMap maps the owners of files in a detached mount with the mappings of a user namespace,
// whose descriptor is known at compile time.
func (b *Builder) MountIDMap(mnt Arg, flags uint, userns int) Op {
	attr := Arg{value: uint64(b.Bytes(encode64(unix.MOUNT_ATTR_IDMAP, 0, 0, uint64(userns)))), format: formatMountSetattr}
	return b.Syscall(unix.SYS_MOUNT_SETATTR, mnt, b.String(""), flag(formatAt, uint64(flags)), attr, Int(sizeofMountAttr))
}

// MoveMount attaches a detached mount to a pinned mount point.
func (b *Builder) MoveMount(mnt, target Arg) Op {
	return b.Syscall(unix.SYS_MOVE_MOUNT, mnt, b.String(""), target, b.String(""),
		flag(formatMoveMount, unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH))
}

// MoveMountAt attaches a detached mount at a name below a directory: a name that only this
// program can have created or, with Cwd, a trusted path of the host. A symbolic link as last
// component is not followed.
func (b *Builder) MoveMountAt(mnt, dir Arg, path string) Op {
	return b.Syscall(unix.SYS_MOVE_MOUNT, mnt, b.String(""), dir, b.String(path),
		flag(formatMoveMount, unix.MOVE_MOUNT_F_EMPTY_PATH))
}

// Mount is mount(2), for what the newer calls cannot express.
func (b *Builder) Mount(source, target, fstype string, flags uint64, data string) Op {
	return b.Syscall(unix.SYS_MOUNT, b.String(source), b.String(target), b.String(fstype), flag(formatMount, flags), b.String(data))
}

// Umount detaches what is mounted at a path.
func (b *Builder) Umount(path string, flags int) Op {
	return b.Syscall(unix.SYS_UMOUNT2, b.String(path), flag(formatUmount, uint64(flags)))
}

// PivotRoot makes newRoot the root and puts the old one at putOld.
func (b *Builder) PivotRoot(newRoot, putOld string) Op {
	return b.Syscall(unix.SYS_PIVOT_ROOT, b.String(newRoot), b.String(putOld))
}

// Chroot changes the root of the process.
func (b *Builder) Chroot(path string) Op { return b.Syscall(unix.SYS_CHROOT, b.String(path)) }

// Chdir changes the working directory to a trusted path.
func (b *Builder) Chdir(path string) Op { return b.Syscall(unix.SYS_CHDIR, b.String(path)) }

// Fchdir changes the working directory to a pinned one.
func (b *Builder) Fchdir(fd Arg) Op { return b.Syscall(unix.SYS_FCHDIR, fd) }

// Getcwd writes the working directory to a buffer.
func (b *Builder) Getcwd(buf Addr, n int) Op {
	return b.Syscall(unix.SYS_GETCWD, Ptr(buf), Int(n))
}

// Unshare makes new namespaces.
func (b *Builder) Unshare(flags uint64) Op {
	return b.Syscall(unix.SYS_UNSHARE, flag(formatClone, flags))
}

// Setns joins a namespace of the given type.
func (b *Builder) Setns(fd Arg, nstype uint64) Op {
	return b.Syscall(unix.SYS_SETNS, fd, flag(formatClone, nstype))
}

// ForkFlags make the child of a fork one of the program's parent, and give a pidfd of it.
const ForkFlags = unix.CLONE_PARENT | unix.CLONE_PIDFD

// Fork makes a child that goes on with the same op. The result is 0 in the child and the
// child's pid in the parent. A pidfd of it is stored in pidfd.
func (b *Builder) Fork(pidfd Word) Op {
	return b.Syscall(unix.SYS_CLONE, flag(formatClone, ForkFlags), Int(0), wordAt(pidfd), Int(0), Int(0))
}

// ForkInto is Fork for a child in the cgroup of the unified hierarchy that a descriptor of its
// directory names.
func (b *Builder) ForkInto(cgroup Arg, pidfd Word) Op {
	args := encode64(ForkFlags|unix.CLONE_INTO_CGROUP, uint64(pidfd.Addr()), 0, 0, 0, 0, 0, 0, 0, 0, cgroup.value)
	return b.Syscall(unix.SYS_CLONE3, Ptr(b.Bytes(args)), Int(len(args)))
}

// Sethostname sets the hostname of the UTS namespace.
func (b *Builder) Sethostname(name string) Op {
	return b.Syscall(unix.SYS_SETHOSTNAME, b.String(name), Int(len(name)))
}

// Setdomainname sets the NIS domain name of the UTS namespace.
func (b *Builder) Setdomainname(name string) Op {
	return b.Syscall(unix.SYS_SETDOMAINNAME, b.String(name), Int(len(name)))
}

// Prctl is prctl(2).
func (b *Builder) Prctl(option int, args ...Arg) Op {
	full := [5]Arg{flag(formatPrctl, uint64(option))}
	copy(full[1:], args)
	return b.Syscall(unix.SYS_PRCTL, full[:]...)
}

// Keyctl is keyctl(2).
func (b *Builder) Keyctl(op int, args ...Arg) Op {
	return b.Syscall(unix.SYS_KEYCTL, append([]Arg{flag(formatKeyctl, uint64(op))}, args...)...)
}

// Ioctl is ioctl(2).
func (b *Builder) Ioctl(fd Arg, request uint, arg Arg) Op {
	return b.Syscall(unix.SYS_IOCTL, fd, flag(formatIoctl, uint64(request)), arg)
}

// Socket opens a socket.
func (b *Builder) Socket(domain, typ int) Op {
	return b.Syscall(unix.SYS_SOCKET, flag(formatDomain, uint64(domain)), flag(formatSocketType, uint64(typ)), Int(0))
}

// Accept waits for a connection.
func (b *Builder) Accept(listener Arg) Op {
	return b.Syscall(unix.SYS_ACCEPT4, listener, Int(0), Int(0), flag(formatSocketType, unix.SOCK_CLOEXEC))
}

// Send sends a message to the runtime.
func (b *Builder) Send(sock Arg, m protocol.Message) Op {
	p := b.Bytes(m.Encode())
	return b.Syscall(unix.SYS_SENDTO, sock, Arg{value: uint64(p), format: formatMessage}, Int(protocol.MessageSize), flag(formatMessageFlags, unix.MSG_NOSIGNAL), Int(0), Int(0))
}

// Recv waits for a message of at most n bytes. The result is its size, 0 when the other side has
// closed the socket.
func (b *Builder) Recv(sock Arg, buf Addr, n int) Op {
	return b.Syscall(unix.SYS_RECVFROM, sock, Ptr(buf), Int(n), Int(0), Int(0), Int(0))
}

// Read is Recv by read(2), for where recvfrom(2) must not be used.
func (b *Builder) Read(sock Arg, buf Addr, n int) Op {
	return b.Syscall(unix.SYS_READ, sock, Ptr(buf), Int(n))
}

// SendFD sends bytes and a descriptor. A word's value is read when the op runs.
func (b *Builder) SendFD(sock Arg, payload []byte, fd Arg) Op {
	return b.sendFD(sock, b.Bytes(payload), len(payload), fd)
}

func (b *Builder) sendFD(sock Arg, payload Addr, n int, fd Arg) Op {
	return b.SendFDMessage(sock, b.newFDMessage("message", payload, n), fd)
}

// FDMessage is a message that is sent with a descriptor.
type FDMessage struct{ payload, control, header Addr }

// NewFDMessage reserves a message that can be sent several times with different values.
func (b *Builder) NewFDMessage(name string, kind protocol.Kind) FDMessage {
	f := b.newFDMessage(name, b.Data("", protocol.Message{Kind: kind}.Encode()), protocol.MessageSize)
	b.name(f.A().Addr(), name+".a")
	b.name(f.B().Addr(), name+".b")
	b.name(f.C().Addr(), name+".c")
	return f
}

func (b *Builder) newFDMessage(name string, payload Addr, n int) FDMessage {
	iov := b.Data("", encode64(uint64(payload), uint64(n)))
	// struct cmsghdr {len, level, type} and the descriptor, padded to 8 bytes.
	control := b.Data("", append(encode64(20, uint64(unix.SOL_SOCKET)|uint64(unix.SCM_RIGHTS)<<32), make([]byte, 8)...))
	f := FDMessage{payload, control, b.Bytes(encode64(0, 0, uint64(iov), 1, uint64(control), controlSize, 0))}
	b.name(f.FD().Addr(), name+".fd")
	return f
}

// A is the first value of the message.
func (f FDMessage) A() Word { return Word(f.payload + 4) }

// B is the second value.
func (f FDMessage) B() Word { return Word(f.payload + 8) }

// C is the third value.
func (f FDMessage) C() Word { return Word(f.payload + 12) }

// FD is the descriptor.
func (f FDMessage) FD() Word { return Word(f.control + 16) }

// SendFDMessage sends the message with a descriptor.
func (b *Builder) SendFDMessage(sock Arg, f FDMessage, fd Arg) Op {
	b.Set(f.FD(), fd)
	return b.Syscall(unix.SYS_SENDMSG, sock, Ptr(f.header), flag(formatMessageFlags, unix.MSG_NOSIGNAL))
}

// Request is a message whose answer carries a descriptor.
type Request struct{ payload, control, header Addr }

// controlSize is the space for one descriptor: struct cmsghdr {len, level, type} and the
// descriptor, padded to 8 bytes.
const controlSize = 24

// NewRequest reserves a request that can be sent several times with different values.
func (b *Builder) NewRequest(name string, m protocol.Message) Request {
	iov := b.Data("", encode64(uint64(b.Buffer("", protocol.MessageSize)), protocol.MessageSize))
	control := b.Data("", make([]byte, controlSize))
	r := Request{b.Data("", m.Encode()), control, b.Data("", encode64(0, 0, uint64(iov), 1, uint64(control), controlSize, 0))}
	b.name(r.payload, name)
	b.name(r.B().Addr(), name+".b")
	b.name(r.C().Addr(), name+".c")
	b.name(r.FD().Addr(), name+".fd")
	b.name(r.header, name+".answer")
	b.name(r.room().Addr(), name+".room")
	return r
}

// B is the second value of the message.
func (r Request) B() Word { return Word(r.payload + 8) }

// C is the third value of the message.
func (r Request) C() Word { return Word(r.payload + 12) }

// FD is the descriptor in the answer; -1 when there was none.
func (r Request) FD() Word { return Word(r.control + 16) }

// room is the size of the memory for the descriptor. The kernel overwrites it with the size that
// it used.
func (r Request) room() Word { return Word(r.header + 40) }

// SendRequest sends a request and waits for its answer. The descriptor is close-on-exec. The
// result is the size of the answer, 0 when the other side has closed the socket.
func (b *Builder) SendRequest(sock Arg, r Request) Op {
	b.Set(r.FD(), Int(-1))
	b.Set(r.room(), Int(controlSize))
	b.Syscall(unix.SYS_SENDTO, sock, Ptr(r.payload), Int(protocol.MessageSize), flag(formatMessageFlags, unix.MSG_NOSIGNAL), Int(0), Int(0))
	return b.Syscall(unix.SYS_RECVMSG, sock, Ptr(r.header), flag(formatMessageFlags, unix.MSG_CMSG_CLOEXEC))
}

// Orders is room for what the runtime asks a program to do, see [protocol.Order], with the
// descriptor that comes along, and for the answer.
type Orders struct {
	order, control, header Addr
	answer                 FDMessage
}

// NewOrders reserves the room.
func (b *Builder) NewOrders(name string) Orders {
	order := b.Buffer("", protocol.OrderSize)
	iov := b.Data("", encode64(uint64(order), protocol.OrderSize))
	control := b.Data("", make([]byte, controlSize))
	o := Orders{order, control, b.Data("", encode64(0, 0, uint64(iov), 1, uint64(control), controlSize, 0)), b.NewFDMessage("", protocol.KindValue)}
	b.name(order, name)
	b.name(o.What().Addr(), name+".what")
	b.name(o.Number().Addr(), name+".number")
	b.name(order+protocol.OrderName, name+".name")
	b.name(order+protocol.OrderTarget, name+".target")
	b.name(o.FD().Addr(), name+".fd")
	b.name(o.room().Addr(), name+".room")
	b.name(o.header, name+".message")
	b.name(o.Result().Addr(), name+".result")
	return o
}

// What is what to do, a [protocol.OrderKind].
func (o Orders) What() Word { return Word(o.order) }

// Number is a mode, or a count of bytes.
func (o Orders) Number() Word { return Word(o.order + 4) }

// FD is the descriptor that came along; -1 when there was none.
func (o Orders) FD() Word { return Word(o.control + 16) }

// Result is the result of the last order, which [Builder.Report] sends.
func (o Orders) Result() Word { return o.answer.B() }

func (o Orders) room() Word { return Word(o.header + 40) }

// Take waits for an order. The result is its size, 0 when the other side has gone.
func (b *Builder) Take(sock Arg, o Orders) Op {
	b.Set(o.FD(), Int(-1))
	b.Set(o.room(), Int(controlSize))
	return b.Syscall(unix.SYS_RECVMSG, sock, Ptr(o.header), flag(formatMessageFlags, unix.MSG_CMSG_CLOEXEC))
}

// Report answers an order with its result.
func (b *Builder) Report(sock Arg, o Orders) Op {
	b.Set(o.answer.A(), Int(protocol.ValueResult))
	return b.Syscall(unix.SYS_SENDTO, sock, Ptr(o.answer.payload), Int(protocol.MessageSize), flag(formatMessageFlags, unix.MSG_NOSIGNAL), Int(0), Int(0))
}

// MakeDir, MakeNode and MakeLink make what an order names in the directory that came with it. The
// result is that of the call, or its error.
func (b *Builder) MakeDir(o Orders) {
	b.Syscall(unix.SYS_MKDIRAT, o.FD().Arg(), Ptr(o.order+protocol.OrderName), o.Number().Arg()).Into(o.Result()).KeepError()
}

func (b *Builder) MakeNode(o Orders) {
	b.Syscall(unix.SYS_MKNODAT, o.FD().Arg(), Ptr(o.order+protocol.OrderName), o.Number().Arg(), Int(0)).Into(o.Result()).KeepError()
}

func (b *Builder) MakeLink(o Orders) {
	b.Syscall(unix.SYS_SYMLINKAT, Ptr(o.order+protocol.OrderTarget), o.FD().Arg(), Ptr(o.order+protocol.OrderName)).Into(o.Result()).KeepError()
}

// Sendfile copies bytes from the descriptor that came with an order to another one, each at its
// offset. The result is how many, or the error.
func (b *Builder) Sendfile(to Word, o Orders) {
	b.Syscall(unix.SYS_SENDFILE, to.Arg(), o.FD().Arg(), Int(0), o.Number().Arg()).Into(o.Result()).KeepError()
}

// Setgroups sets the supplementary groups.
func (b *Builder) Setgroups(gids []uint32) Op {
	p := make([]byte, 4*len(gids))
	for i, g := range gids {
		putUint32(p[4*i:], g)
	}
	list := Int(0)
	if len(gids) > 0 {
		list = Ptr(b.Bytes(p))
	}
	return b.Syscall(unix.SYS_SETGROUPS, Int(len(gids)), list)
}

// Setresgid sets all group ids.
func (b *Builder) Setresgid(gid uint32) Op {
	return b.Syscall(unix.SYS_SETRESGID, Int(gid), Int(gid), Int(gid))
}

// Setresuid sets all user ids.
func (b *Builder) Setresuid(uid uint32) Op {
	return b.Syscall(unix.SYS_SETRESUID, Int(uid), Int(uid), Int(uid))
}

// Capset sets the effective, permitted and inheritable capabilities.
func (b *Builder) Capset(effective, permitted, inheritable uint64) Op {
	header := b.Bytes(encode64(unix.LINUX_CAPABILITY_VERSION_3)) // version, pid 0
	low := func(a, b uint64) uint64 { return a&0xffffffff | b<<32 }
	data := b.Bytes(encode64(
		low(effective, permitted), low(inheritable, effective>>32), low(permitted>>32, inheritable>>32)))
	return b.Syscall(unix.SYS_CAPSET, Ptr(header), Arg{value: uint64(data), format: formatCaps})
}

// Setsid makes the process the leader of a new session.
func (b *Builder) Setsid() Op { return b.Syscall(unix.SYS_SETSID) }

// Umask sets the file mode creation mask. The result is the previous one.
func (b *Builder) Umask(mask Arg) Op { return b.Syscall(unix.SYS_UMASK, mask) }

// SigmaskClear unblocks all signals.
func (b *Builder) SigmaskClear() Op {
	return b.Syscall(unix.SYS_RT_SIGPROCMASK, flag(formatSigmask, unix.SIG_SETMASK), b.Struct64(0), Int(0), Int(8))
}

// Sigdefault sets the default action of a signal.
func (b *Builder) Sigdefault(sig Arg) Op {
	return b.Syscall(unix.SYS_RT_SIGACTION, sig, b.Struct64(0, 0, 0, 0), Int(0), Int(8))
}

// SchedSetattr sets the scheduling policy and its parameters.
func (b *Builder) SchedSetattr(a unix.SchedAttr) Op {
	p := encode64(
		uint64(a.Size)|uint64(a.Policy)<<32, a.Flags, uint64(uint32(a.Nice))|uint64(a.Priority)<<32,
		a.Runtime, a.Deadline, a.Period, uint64(a.Util_min)|uint64(a.Util_max)<<32)
	return b.Syscall(unix.SYS_SCHED_SETATTR, Int(0), Ptr(b.Bytes(p)), Int(0))
}

// SchedSetaffinity restricts the process to the CPUs of a bit mask.
func (b *Builder) SchedSetaffinity(mask []uint64) Op {
	return b.Syscall(unix.SYS_SCHED_SETAFFINITY, Int(0), Int(8*len(mask)), Ptr(b.Bytes(encode64(mask...))))
}

// IoprioSet sets the I/O priority of the process.
func (b *Builder) IoprioSet(priority int) Op {
	const whoProcess = 1
	return b.Syscall(unix.SYS_IOPRIO_SET, Int(whoProcess), Int(0), Hex(uint64(priority)))
}

// Rlimit is a buffer for a resource limit, and the words in it.
type Rlimit struct{ addr Addr }

// NewRlimit reserves the buffer.
func (b *Builder) NewRlimit(name string) Rlimit { return Rlimit{b.Buffer(name, 16)} }

// GetRlimit gets a resource limit of the process.
func (b *Builder) GetRlimit(resource int, l Rlimit) Op {
	return b.Syscall(unix.SYS_PRLIMIT64, Int(0), Int(resource), Int(0), Ptr(l.addr))
}

// SetRlimit sets a resource limit of the process.
func (b *Builder) SetRlimit(resource int, l Rlimit) Op {
	return b.Syscall(unix.SYS_PRLIMIT64, Int(0), Int(resource), Ptr(l.addr), Int(0))
}

// LimitTo sets a resource limit of the process to constants.
func (b *Builder) LimitTo(resource int, soft, hard uint64) Op {
	return b.Syscall(unix.SYS_PRLIMIT64, Int(0), Int(resource), b.Struct64(soft, hard), Int(0))
}

// CopyHard sets both limits of one buffer to the hard limit of another.
func (b *Builder) CopyHard(to, from Rlimit) {
	for _, half := range []Addr{0, 4} {
		for _, limit := range []Addr{0, 8} {
			b.Set(Word(to.addr+limit+half), Word(from.addr+8+half).Arg())
		}
	}
}

// Personality sets the execution domain.
func (b *Builder) Personality(p uint64) Op { return b.Syscall(unix.SYS_PERSONALITY, Hex(p)) }

// SetMempolicy sets the NUMA memory policy; nodes is a bit mask, which may be empty.
func (b *Builder) SetMempolicy(mode uint32, nodes []uint64) Op {
	if len(nodes) == 0 {
		return b.Syscall(unix.SYS_SET_MEMPOLICY, Hex(uint64(mode)), Int(0), Int(0))
	}
	// The kernel expects the number of bits plus one.
	return b.Syscall(unix.SYS_SET_MEMPOLICY, Hex(uint64(mode)), Ptr(b.Bytes(encode64(nodes...))), Int(64*len(nodes)+1))
}

// Faccessat2 checks that the effective user may access a path.
func (b *Builder) Faccessat2(dir Arg, path string, mode int) Op {
	return b.Syscall(unix.SYS_FACCESSAT2, dir, b.String(path), flag(formatAccess, uint64(mode)), flag(formatAt, unix.AT_EACCESS))
}

// Execve replaces the program. path is a word with the address of the path; argv and envp are
// arrays of addresses, terminated by 0.
func (b *Builder) Execve(path Word, argv, envp Addr) Op {
	return b.Syscall(unix.SYS_EXECVE, path.Arg(), Ptr(argv), Ptr(envp))
}

// SetFilter loads a seccomp filter, an array of struct sock_filter, for the rest of the program
// and for the command. With SECCOMP_FILTER_FLAG_NEW_LISTENER the result is a descriptor.
func (b *Builder) SetFilter(flags uint64, filter []byte) Op {
	prog := b.Bytes(encode64(uint64(len(filter)/8), uint64(b.Bytes(filter)))) // struct sock_fprog
	return b.Syscall(unix.SYS_SECCOMP, flag(formatSeccomp, unix.SECCOMP_SET_MODE_FILTER), flag(formatFilterFlags, flags), Arg{value: uint64(prog), format: formatFilter})
}

// Exit ends the program.
func (b *Builder) Exit(status int) Op { return b.Syscall(unix.SYS_EXIT_GROUP, Int(status)) }

// Write writes bytes.
func (b *Builder) Write(fd Arg, p string) Op {
	return b.Syscall(unix.SYS_WRITE, fd, b.String(p), Int(len(p)))
}

// sizeofMountAttr is MOUNT_ATTR_SIZE_VER0.
const sizeofMountAttr = 32

func encode64(fields ...uint64) []byte {
	p := make([]byte, 8*len(fields))
	for i, f := range fields {
		putUint64(p[8*i:], f)
	}
	return p
}

func flag(f format, v uint64) Arg { return Arg{value: v, format: f} }

// SendWordFD sends a message and a descriptor. B of the message is the value of a word.
func (b *Builder) SendWordFD(sock Arg, m protocol.Message, value, fd Word) Op {
	payload := b.Data("", m.Encode())
	b.name(payload+8, "message.b")
	b.Set(Word(payload+8), value.Arg())
	return b.sendFD(sock, payload, protocol.MessageSize, fd.Arg())
}

// Pointers stores an array of addresses.
func (b *Builder) Pointers(fields []uint64) Addr { return b.Bytes(encode64(fields...)) }

// Forget unmaps the whole pages of ops before this one, so that a program that waits for long
// does not keep them in memory. No later op may jump back before it.
func (b *Builder) Forget() Op {
	b.forget = len(b.about)
	return b.Syscall(unix.SYS_MUNMAP, Ptr(0), Hex(0)).Allow(AnyError)
}
