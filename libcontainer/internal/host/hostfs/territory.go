package hostfs

import (
	"errors"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// Mount is a mount of a container.
type Mount struct {
	// Number is the kernel's id of the mount (STATX_MNT_ID).
	Number uint64
	// Dest is the destination in the configuration, cleaned; "/" for the rootfs.
	Dest string
	// Own reports whether only the container has its content.
	Own bool
	// Name is its name in errors.
	Name string
}

// Territory is the list of a container's mounts in the order of their creation, the rootfs first.
// It determines where something may be created: in the mount in which the path, as it is written,
// lies. That is the mount with the longest destination above the path, or a mount below it that
// was mounted with it, if no symbolic link leads there.
//
// Attacker: the image, whose links lead elsewhere, and any process that exchanges directories of
// a shared rootfs, for instance to put a volume in place of /etc. Mounts that only the container
// has count as one place here: a link from the rootfs into a tmpfs does no harm.
type Territory []Mount

// of returns the mount in which a path, as it is written, lies.
func (t Territory) of(p string) *Mount {
	p = path.Clean("/" + p)
	for {
		for i := len(t) - 1; i >= 0; i-- {
			if t[i].Dest == p {
				return &t[i]
			}
		}
		if p == "/" {
			return nil
		}
		p = path.Dir(p)
	}
}

// known returns the mount with a number, nil when it is none of these.
func (t Territory) known(number uint64) *Mount {
	for i := len(t) - 1; i >= 0; i-- {
		if t[i].Number == number {
			return &t[i]
		}
	}
	return nil
}

// OtherMount is the error when a path leads into a mount in which it does not lie.
type OtherMount struct {
	// Mount is the name of the mount, "" when it is not the container's.
	Mount string
	// Link reports whether a symbolic link leads there.
	Link bool
}

func (o *OtherMount) Error() string {
	who, in := "its path leads", "one of the host"
	if o.Link {
		who = "a symbolic link leads"
	}
	if o.Mount != "" {
		in = o.Mount
	}
	return who + " into another mount (" + in + "), where nothing is made or changed for it"
}

// errElsewhere means that a path no longer leads to the pinned place.
var errElsewhere = errors.New("its path leads elsewhere by now")

// walk is the resolution of a path.
type walk struct {
	root int
	t    Territory
	home *Mount // in which the path lies
	// link is the mount of the first symbolic link, if there was one.
	link  uint64
	links int
}

// check returns an error when nothing may be created in a directory, given by its path without
// links.
func (w *walk) check(dir string, fd int) error {
	if w.t == nil {
		return nil
	}
	number, err := mountOf(fd)
	if err != nil {
		return err
	}
	k := w.t.known(number)
	switch {
	case w.home == nil:
	case number == w.home.Number:
		return nil
	case k != nil && k.Own && w.home.Own:
		return nil
	case k == nil && w.links == 0 && w.straight(dir), k == nil && w.links > 0 && number == w.link:
		return nil
	}
	o := &OtherMount{Link: w.links > 0}
	if k != nil {
		o.Mount = k.Name
	}
	return o
}

// straight reports whether a path without links leads only through mounts whose destinations are
// on it.
func (w *walk) straight(dir string) bool {
	for p := dir; ; p = path.Dir(p) {
		if p == "." {
			p = ""
		}
		fd, err := below(w.root, p, unix.O_PATH)
		if err != nil {
			return false
		}
		number, err := mountOf(fd)
		unix.Close(fd)
		if err != nil {
			return false
		}
		if k := w.t.known(number); k != nil && k != w.t.of(p) {
			return false
		}
		if p == "" {
			return true
		}
	}
}

// follows records that a link in a directory is followed.
func (w *walk) follows(dir string) {
	if w.links++; w.links > 1 || w.t == nil {
		return
	}
	fd, err := below(w.root, dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if number, err := mountOf(fd); err == nil && w.straight(dir) {
		w.link = number
	}
}

// mountOf returns the number of the mount in which a descriptor lies.
func mountOf(fd int) (uint64, error) {
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st); err != nil {
		return 0, err
	}
	return st.Mnt_id, nil
}

// Check returns an error when a path below a root does not lead into the mount with this number,
// or when nothing may be created there for that path.
func (t Territory) Check(root int, name string, number uint64) error {
	w := &walk{root: root, t: t, home: t.of(name)}
	done, err := makePath(w, name, Point{Exists: true}, Self())
	if err != nil {
		return err
	}
	fd, err := below(root, done, unix.O_PATH)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/" + done, Err: err}
	}
	defer unix.Close(fd)
	switch got, err := mountOf(fd); {
	case err != nil:
		return err
	case got != number:
		return errElsewhere
	}
	return w.check(done, fd)
}
