// Package hostfs works on directory trees of containers by descriptors.
//
// Whoever made such a tree may be hostile, and may change it at any time. Nothing here
// leaves it: each name is resolved by the kernel below a pinned directory, a link is
// never followed by accident, and only what was pinned and looked at is used.
package hostfs

import (
	"errors"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may lead through, as for the kernel.
const maxLinks = 40

// Make makes what is missing of a path below a root: directories with mode 0755 and,
// unless dir is set, an empty file at the end. A symbolic link that leads to something
// missing is followed as if root were the root directory, and that is made. It is done
// with the permissions of owner: what root in a user namespace could not make, nobody
// makes for it.
func Make(root int, name string, dir bool, owner Owner) error {
	return owner.do(false, func() error { return makePath(root, name, dir, owner) })
}

func makePath(root int, name string, dir bool, owner Owner) error {
	done := "" // exists, and has no links in it
	rest := strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		next := rest[0]
		rest = rest[1:]
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
		target, err := look(root, at)
		if errors.Is(err, unix.ENOENT) {
			err = makeOne(root, done, next, dir || more(rest), owner)
		}
		if err != nil {
			return &os.PathError{Op: "make", Path: "/" + at, Err: err}
		}
		if target == "" {
			done = at
			continue
		}
		if links++; links > maxLinks {
			return &os.PathError{Op: "make", Path: "/" + at, Err: unix.ELOOP}
		}
		if path.IsAbs(target) {
			done = ""
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return nil
}

// more tells whether there are components that lead anywhere.
func more(rest []string) bool {
	for _, r := range rest {
		if r != "" && r != "." {
			return true
		}
	}
	return false
}

// below resolves a path without any link.
func below(root int, name string, flags uint64) (int, error) {
	if name == "" {
		name = "."
	}
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	for try := 0; ; try++ {
		fd, err := unix.Openat2(root, name, &how)
		// The kernel says so when a rename was made meanwhile.
		if !errors.Is(err, unix.EAGAIN) || try == 1000 {
			return fd, err
		}
	}
}

// look tells where a symbolic link leads; the target is empty for anything else.
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

// makeOne makes a name in a directory. What somebody else has just made there is not
// ours, and stays as it is.
func makeOne(root int, parent, name string, dir bool, owner Owner) error {
	p, err := below(root, parent, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(p)
	mode := uint32(unix.S_IFREG | 0o644)
	if dir {
		mode = unix.S_IFDIR | 0o755
		err = unix.Mkdirat(p, name, 0o755)
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

// finish gives what was made its mode, whatever the umask is. When the name means
// something else by now, that stays as it is.
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
	if st.Mode&unix.S_IFMT != mode&unix.S_IFMT || int(st.Uid) != owner.UID || st.Mode&0o777&^mode != 0 {
		return nil
	}
	if (st.Mode^mode)&0o777 != 0 {
		//allow:path a pinned file that has been looked at
		return unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode&0o777)
	}
	return nil
}
