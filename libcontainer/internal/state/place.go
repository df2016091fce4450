package state

import (
	"errors"
	"maps"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
)

// Place identifies the namespaces and the root directory of a container's init process at the
// time of its creation.
type Place struct {
	// Namespaces has the inode numbers of its namespaces, by name in /proc/PID/ns.
	Namespaces map[string]uint64 `json:"namespaces"`
	Root       RootDir           `json:"root"`
}

// RootDir identifies the root directory of a process.
type RootDir struct {
	// Mount is the id of the mount that the directory lies in. Unique reports whether the kernel
	// never reuses the id (statx(2), STATX_MNT_ID_UNIQUE).
	Mount  uint64 `json:"mount"`
	Unique bool   `json:"unique,omitempty"`
	Inode  uint64 `json:"inode"`
}

// PlaceOf returns the place of a process: its namespaces with these names, and its root.
func PlaceOf(p linux.Process, namespaces []string) (*Place, error) {
	found, err := namespacesOf(p, namespaces)
	if err != nil {
		return nil, err
	}
	st, err := statx(unix.AT_FDCWD, p.Path("root"), 0)
	return &Place{Namespaces: found, Root: rootDir(st)}, err
}

func namespacesOf(p linux.Process, names []string) (map[string]uint64, error) {
	found := make(map[string]uint64, len(names))
	for _, name := range names {
		inode, err := p.Namespace(name)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
			return nil, ErrGone
		}
		if err != nil {
			return nil, err
		}
		found[name] = inode
	}
	return found, nil
}

// RootOf identifies an open root directory.
func RootOf(fd int) (RootDir, error) {
	st, err := statx(fd, "", unix.AT_EMPTY_PATH)
	return rootDir(st), err
}

// statx requests only attributes that the kernel has cached: the directory may lie in a file
// system that a process of the container serves, and that process might never answer.
func statx(dir int, path string, flags int) (st unix.Statx_t, err error) {
	err = unix.Statx(dir, path, flags|unix.AT_STATX_DONT_SYNC, unix.STATX_INO|unix.STATX_MNT_ID_UNIQUE, &st)
	if err == nil && st.Mask&unix.STATX_MNT_ID_UNIQUE == 0 {
		err = unix.Statx(dir, path, flags|unix.AT_STATX_DONT_SYNC, unix.STATX_INO|unix.STATX_MNT_ID, &st)
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return st, ErrGone
	}
	if err != nil {
		return st, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	return st, nil
}

func rootDir(st unix.Statx_t) RootDir {
	return RootDir{Mount: st.Mnt_id, Unique: st.Mask&unix.STATX_MNT_ID_UNIQUE != 0, Inode: st.Ino}
}

// Left returns the names of the namespaces that a process, or thread, has left, sorted.
func (p *Place) Left(of linux.Process) (left []string, err error) {
	names := slices.Sorted(maps.Keys(p.Namespaces))
	now, err := namespacesOf(of, names)
	for _, name := range names {
		if was, ok := p.Namespaces[name]; ok && err == nil && was != now[name] {
			left = append(left, name)
		}
	}
	return left, err
}
