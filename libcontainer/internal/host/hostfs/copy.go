package hostfs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxDepth limits the depth of a tree. Each level needs two descriptors.
const maxDepth = 256

// Root selects which attributes of the root are copied.
type Root struct{ Mode, UID, GID bool }

// Writer makes what takes memory in a copy, in directories that it gets as descriptors.
type Writer interface {
	Mkdir(dir int, name string, mode uint32) error
	// Mknod makes a regular file or a FIFO.
	Mknod(dir int, name string, mode uint32) error
	Symlink(target string, dir int, name string) error
	// Copy copies bytes from one file to another, each at its offset, and returns how many. 0 is
	// the end of the file.
	Copy(to, from int, most uint32) (int, error)
}

// Copy copies the contents of a directory into an empty one: files, FIFOs and symbolic links with
// their owners, modes, times and extended attributes. It does not cross mount points. Hard links
// and holes are preserved. Sockets are left out, because no process listens on a copy.
// Devices are left out, because the original may be in a mount that gives no access to devices,
// and the copy might give it.
//
// owner is the owner who may create files in the copy: root of the user namespace that its file
// system belongs to.
//
// Attacker: the image. A copy takes as much memory as the image is large. So the writer is a process
// of the container, whose limits apply.
func Copy(from, to int, root Root, owner Owner, writer Writer) error {
	c := copier{writer: writer, links: make(map[fileID]*linked)}
	return owner.do(true, func() error { return c.tree(from, to, root) })
}

// copier is a copy in the making.
type copier struct {
	writer Writer
	to     int // its root
	links  map[fileID]*linked
}

// fileID is what tells a file from all others of a file system.
type fileID struct{ dev, ino uint64 }

// linked is a file with several names, as long as some have not been met.
type linked struct {
	in   *folder
	name string
	left uint64
}

// folder is a directory of the copy.
type folder struct {
	fd    int // while it is being filled
	above *folder
	name  string
	depth int
}

// open opens a folder, which nobody but this process has names in.
func (f *folder) open(root int) (fd int, err error) {
	if f.above == nil {
		return unix.Openat(root, ".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	// One by one: the path may be longer than paths can be.
	above, err := f.above.open(root)
	if err != nil {
		return -1, err
	}
	defer unix.Close(above)
	return unix.Openat(above, f.name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// another gives a file that has been copied another name. ok is false when this is its first one.
func (c *copier) another(st *unix.Stat_t, in *folder, name string) (ok bool, err error) {
	if st.Nlink < 2 || st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return false, nil
	}
	id := fileID{st.Dev, st.Ino}
	first := c.links[id]
	if first == nil {
		c.links[id] = &linked{in, name, uint64(st.Nlink) - 1}
		return false, nil
	}
	if first.left--; first.left == 0 {
		delete(c.links, id)
	}
	dir, err := first.in.open(c.to)
	if err != nil {
		return false, err
	}
	defer unix.Close(dir)
	return true, unix.Linkat(dir, first.name, in.fd, name, 0)
}

func (c *copier) tree(from, to int, root Root) error {
	src, err := unix.Openat(from, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: ".", Err: err}
	}
	defer unix.Close(src)
	dst, err := unix.Openat(to, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: ".", Err: err}
	}
	defer unix.Close(dst)
	c.to = dst
	var st unix.Stat_t
	if err := unix.Fstat(src, &st); err != nil {
		return &os.PathError{Op: "stat", Path: ".", Err: err}
	}
	uid, gid := -1, -1
	if root.UID {
		uid = int(st.Uid)
	}
	if root.GID {
		gid = int(st.Gid)
	}
	if err := unix.Fchown(dst, uid, gid); err != nil {
		return &os.PathError{Op: "chown", Path: ".", Err: err}
	}
	if root.Mode {
		if err := unix.Fchmod(dst, st.Mode&0o7777); err != nil {
			return &os.PathError{Op: "chmod", Path: ".", Err: err}
		}
	}
	return c.entries(src, &folder{fd: dst}, ".")
}

// entries copies the entries of a directory.
func (c *copier) entries(src int, dst *folder, at string) error {
	if dst.depth > maxDepth {
		return fmt.Errorf("%s: more than %d directories deep", at, maxDepth)
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.Getdents(src, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "read", Path: at, Err: err}
		}
		if n == 0 {
			return nil
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			if err := c.entry(src, dst, name, path.Join(at, name)); err != nil {
				return err
			}
		}
	}
}

// entry copies one entry of a directory. The entry is pinned before it is examined.
func (c *copier) entry(src int, in *folder, name, at string) error {
	dst := in.fd
	fail := func(op string, err error) error { return &os.PathError{Op: op, Path: at, Err: err} }
	pin, err := unix.Openat2(src, name, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_MAGICLINKS,
	})
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil // removed meanwhile
	case errors.Is(err, unix.EXDEV):
		return c.mountPoint(src, dst, name)
	case err != nil:
		return fail("open", err)
	}
	defer unix.Close(pin)
	var st unix.Stat_t
	if err := unix.Fstat(pin, &st); err != nil {
		return fail("stat", err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFSOCK, unix.S_IFCHR, unix.S_IFBLK:
		return nil
	}
	switch known, err := c.another(&st, in, name); {
	case err != nil:
		return fail("link", err)
	case known:
		return nil
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		target, err := readLink(pin)
		if err == nil {
			err = c.writer.Symlink(target, dst, name)
		}
		if err != nil {
			return fail("copy", err)
		}
	case unix.S_IFDIR:
		if err := c.dir(pin, in, name, at); err != nil {
			return err
		}
	case unix.S_IFREG:
		if err := c.file(pin, dst, name, st.Size); err != nil {
			return fail("copy", err)
		}
	default:
		if err := c.writer.Mknod(dst, name, st.Mode); err != nil {
			return fail("copy", err)
		}
	}
	if err := copyAttributes(pin, dst, name, &st); err != nil {
		return fail("copy the attributes of", err)
	}
	return nil
}

// mountPoint creates an empty directory or file in place of a mount.
func (c *copier) mountPoint(src, dst int, name string) error {
	mode := uint32(unix.S_IFREG | 0o644)
	var st unix.Stat_t
	err := unix.Fstatat(src, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case err != nil:
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		mode = unix.S_IFDIR | 0o755
		err = c.writer.Mkdir(dst, name, 0o755)
	default:
		err = c.writer.Mknod(dst, name, mode)
	}
	if err == nil {
		err = unix.Fchmodat(dst, name, mode&0o777, 0)
	}
	if err != nil {
		return &os.PathError{Op: "make", Path: name, Err: err}
	}
	return nil
}

func (c *copier) dir(pin int, in *folder, name, at string) error {
	fail := func(op string, err error) error { return &os.PathError{Op: op, Path: at, Err: err} }
	from, err := unix.Openat(pin, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail("open", err)
	}
	defer unix.Close(from)
	if err := c.writer.Mkdir(in.fd, name, 0o700); err != nil {
		return fail("mkdir", err)
	}
	to, err := unix.Openat(in.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail("open", err)
	}
	defer unix.Close(to)
	return c.entries(from, &folder{to, in, name, in.depth + 1}, at)
}

// file copies a pinned regular file. Holes are preserved.
func (c *copier) file(pin, dst int, name string, size int64) error {
	//allow:path a pinned file that has been looked at, opened once more
	from, err := unix.Open("/proc/self/fd/"+strconv.Itoa(pin), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	if err := c.writer.Mknod(dst, name, unix.S_IFREG|0o600); err != nil {
		return err
	}
	to, err := unix.Openat(dst, name, unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(to)
	if err := unix.Ftruncate(to, size); err != nil {
		return err
	}
	// Stop at the initial size, because another process may be writing.
	for offset := int64(0); offset < size; {
		start, err := unix.Seek(from, offset, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) || err == nil && start >= size {
			return nil
		}
		if errors.Is(err, unix.EINVAL) {
			start, err = offset, nil // a file system without holes
		}
		if err != nil {
			return err
		}
		end, err := unix.Seek(from, start, unix.SEEK_HOLE)
		if err != nil {
			end = size
		}
		if err := c.piece(from, to, start, min(end, size)); err != nil {
			return err
		}
		offset = min(end, size)
	}
	return nil
}

// piece copies a part of a file that has no holes.
func (c *copier) piece(from, to int, start, end int64) error {
	for _, fd := range []int{from, to} {
		if _, err := unix.Seek(fd, start, unix.SEEK_SET); err != nil {
			return err
		}
	}
	const most = 1 << 30
	for start < end {
		n, err := c.writer.Copy(to, from, uint32(min(end-start, most)))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n <= 0:
			return nil // it has become shorter
		}
		start += int64(n)
	}
	return nil
}

// copyAttributes copies the attributes of the original. The owner comes first, because changing
// it clears set-user-ID bits and capabilities.
func copyAttributes(pin, dst int, name string, st *unix.Stat_t) error {
	if err := unix.Fchownat(dst, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOVERFLOW) {
			return fmt.Errorf("the owner %d:%d is not mapped in the user namespace: %w", st.Uid, st.Gid, err)
		}
		return err
	}
	// No other process can change names in the copy.
	copy_, err := unix.Openat(dst, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(copy_)
	to := "/proc/self/fd/" + strconv.Itoa(copy_)
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		//allow:path a pinned file, by the host's /proc
		if err := unix.Chmod(to, st.Mode&0o7777); err != nil {
			return err
		}
		if err := copyXattrs("/proc/self/fd/"+strconv.Itoa(pin), to); err != nil {
			return err
		}
	}
	return unix.UtimesNanoAt(dst, name, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}

// copyXattrs copies the extended attributes that a tmpfs supports.
func copyXattrs(from, to string) error {
	names := make([]byte, 64<<10)
	//allow:path a pinned file, by the host's /proc
	n, err := unix.Listxattr(from, names)
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return err
	}
	value := make([]byte, 64<<10)
	for _, name := range split(names[:n]) {
		if name == "security.selinux" {
			continue // the mount decides it
		}
		//allow:path the same file
		size, err := unix.Getxattr(from, name, value)
		if err == nil {
			//allow:path a pinned file, by the host's /proc
			err = unix.Setxattr(to, name, value[:size], 0)
		}
		// Not every file system supports all attributes.
		if err != nil && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// split splits a list of names, each terminated by NUL.
func split(list []byte) (names []string) {
	start := 0
	for i, b := range list {
		if b == 0 {
			names = append(names, string(list[start:i]))
			start = i + 1
		}
	}
	return names
}
