// Package hostfs works on directory trees of containers by descriptors.
//
// The creator of such a tree may be hostile and may change it at any time. No function leaves the
// tree: the kernel resolves each name below a pinned directory, no symbolic link is followed by
// accident, and only what was pinned and checked is used.
package hostfs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks limits the symbolic links in a path, as in the kernel.
const maxLinks = 40

// Point describes the last component of a path to make.
type Point struct {
	// Dir means a directory; otherwise it is an empty file.
	Dir bool
	// Mode is the mode of the directory; 0 means 0755.
	Mode uint32
	// Link, when not empty, means a symbolic link with this target. A link that exists already
	// has to have the same target.
	Link string
	// NoLinks refuses symbolic links with ELOOP.
	NoLinks bool
	// NoDangling fails with ENOENT, instead of creating something that only a symbolic link
	// names.
	NoDangling bool
	// Exists creates nothing: a missing name is ENOENT.
	Exists bool
	// In restricts the mounts in which something may be created; nil means any mount.
	In Territory
}

// Denied is the error when the owner has no permission to create something in a directory, given
// by its path below the root. The directory belongs to UID and GID.
type Denied struct {
	Dir      string
	UID, GID int
	Err      error
}

func (d *Denied) Error() string { return d.Err.Error() }
func (d *Denied) Unwrap() error { return d.Err }

// Make creates the missing components of a path below a root: directories with mode 0755, and the
// point at the end. Symbolic links are followed as if root were the root directory, and a missing
// target is created. Make uses the permissions of owner: it creates nothing that root in the user
// namespace could not create.
func Make(root int, name string, point Point, owner Owner) error {
	done := ""
	err := owner.do(false, func() (err error) {
		w := &walk{root: root, t: point.In, home: point.In.of(path.Dir("/" + name))}
		done, err = makePath(w, name, point, owner)
		return err
	})
	return explain(root, done, err)
}

// makePath also returns the part of the path that exists, without symbolic links.
func makePath(w *walk, name string, point Point, owner Owner) (done string, err error) {
	rest := strings.Split(name, "/")
	own := len(rest) // how many components of the rest are not from a link
	for len(rest) > 0 {
		next := rest[0]
		rest = rest[1:]
		linked := len(rest) >= own
		own = min(own, len(rest))
		switch next {
		case "", ".":
			continue
		case "..":
			if done = path.Dir(done); done == "." {
				done = ""
			}
			continue
		}
		at := path.Join(done, next)
		target, err := look(w.root, at)
		last := point.Link != "" && !more(rest)
		switch {
		case last && errors.Is(err, unix.ENOENT):
			err = makeLink(w, done, next, point.Link)
		case last && err == nil && target != point.Link:
			err = &NotThatLink{point.Link}
		case errors.Is(err, unix.ENOENT) && (point.Exists || point.NoDangling && linked):
		case errors.Is(err, unix.ENOENT):
			err = makeOne(w, done, next, point.modeOf(more(rest)), owner)
		}
		if err != nil {
			return done, &os.PathError{Op: "make", Path: "/" + at, Err: err}
		}
		if target == "" || last {
			done = at
			continue
		}
		if w.follows(done); w.links > maxLinks || point.NoLinks {
			return done, &os.PathError{Op: "make", Path: "/" + at, Err: unix.ELOOP}
		}
		if path.IsAbs(target) {
			done = ""
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return done, nil
}

// modeOf returns the mode, with the type, of the last component or of one on the way to it.
func (p Point) modeOf(onTheWay bool) uint32 {
	switch {
	case onTheWay || p.Dir && p.Mode == 0:
		return unix.S_IFDIR | 0o755
	case p.Dir:
		return unix.S_IFDIR | p.Mode
	}
	return unix.S_IFREG | 0o644
}

// explain finds the owner of the directory in which something cannot be created.
func explain(root int, dir string, err error) error {
	if !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EOVERFLOW) {
		return err
	}
	fd, e := below(root, dir, unix.O_PATH|unix.O_DIRECTORY)
	if e != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return err
	}
	return &Denied{Dir: "/" + dir, UID: int(st.Uid), GID: int(st.Gid), Err: err}
}

// more reports whether there are components other than "." and empty ones.
func more(rest []string) bool {
	for _, r := range rest {
		if r != "" && r != "." {
			return true
		}
	}
	return false
}

// below resolves a path without symbolic links.
func below(root int, name string, flags uint64) (int, error) {
	if name == "" {
		name = "."
	}
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	for try := 0; ; try++ {
		fd, err := unix.Openat2(root, name, &how)
		// The kernel returns EAGAIN when a rename happened meanwhile.
		if !errors.Is(err, unix.EAGAIN) || try == 1000 {
			return fd, err
		}
	}
}

// look returns the target of a symbolic link; it is empty for anything else.
func look(root int, name string) (target string, err error) {
	fd, err := below(root, name, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", err
	}
	return readLink(fd)
}

// readLink reads a pinned symbolic link.
func readLink(fd int) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	switch {
	case err != nil:
		return "", err
	case n == 0 || n == len(buf):
		return "", unix.ENAMETOOLONG
	}
	return string(buf[:n]), nil
}

// makeOne creates a name in a directory. If another process has just created it, it is left as it
// is.
func makeOne(w *walk, parent, name string, mode uint32, owner Owner) error {
	p, err := below(w.root, parent, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(p)
	if err := w.check(parent, p); err != nil {
		return err
	}
	if mode&unix.S_IFMT == unix.S_IFDIR {
		err = unix.Mkdirat(p, name, mode&^unix.S_IFMT)
	} else {
		err = unix.Mknodat(p, name, mode, 0)
	}
	if err != nil {
		if errors.Is(err, unix.EEXIST) {
			return nil
		}
		return err
	}
	return finish(p, name, mode, owner)
}

// NotThatLink is the error when something else exists in place of a symbolic link.
type NotThatLink struct{ Target string }

func (n *NotThatLink) Error() string {
	return fmt.Sprintf("it exists, and is no symbolic link to %q", n.Target)
}

// makeLink creates a symbolic link in a directory.
func makeLink(w *walk, parent, name, target string) error {
	p, err := below(w.root, parent, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(p)
	if err := w.check(parent, p); err != nil {
		return err
	}
	return unix.Symlinkat(target, p, name)
}

// finish sets the mode of what was created, independent of the umask. If the name now means
// something else, that is left as it is.
func finish(parent int, name string, mode uint32, owner Owner) error {
	fd, err := unix.Openat(parent, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != mode&unix.S_IFMT || int(st.Uid) != owner.UID || st.Mode&0o1777&^mode != 0 {
		return nil
	}
	if (st.Mode^mode)&0o1777 != 0 {
		// Keep the inherited set-group-ID bit.
		//allow:path a pinned file that has been looked at
		return unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode&0o1777|st.Mode&unix.S_ISGID)
	}
	return nil
}
