package compile

import (
	"path"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci/bundle"
)

// remount changes what is mounted at a destination: the attributes that the options name, as in
// mount(8), and, with parameters or without "bind", its file system. All other attributes stay,
// so that a remount does not remove a protection that another option has set.
//
// Attacker: a process that renames the mount point in the rootfs, so that another mount would
// become read-only instead. Mounts of the program are pinned from the beginning.
func (c *compiler) remount(m *mount) {
	c.Describe(m.noteRemount())
	defer c.block()()
	target, pinned := c.take("target"), false
	if n, ok := c.remounts[m.subject.Index]; ok {
		target, pinned = c.remounted[n], true
	} else {
		how := program.Lookup{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: inRoot}
		c.Openat2(c.root, rootOr(relative(m.dest)), how).Into(target)
		// Nor does a link of the image lead to one that it is not for, which may be read-only.
		c.askPlace(target.Arg(), c.liesIn(m.dest), uint32(m.subject.Index))
	}
	c.reconfigure(m, target)

	readonly, writable := m.Changes(unix.MOUNT_ATTR_RDONLY)
	previous := c.at[m.dest]
	later := readonly && previous != nil && c.readonlyLater(previous)
	if readonly || writable {
		c.forgetReadonly(m.dest)
	}
	mnt := target
	if later {
		mnt = c.Word("mnt"+strconv.Itoa(m.subject.Index), -1)
		c.Set(mnt, target.Arg())
		c.readonly = append(c.readonly, readonlyMount{mnt, m.dest, m.noteRemount()})
	}
	for _, a := range m.Attrs {
		if !a.Recursive && later {
			a.Set &^= unix.MOUNT_ATTR_RDONLY
		}
		if a.Set|a.Clear != 0 {
			c.changeAttr(mnt.Arg(), a, m.subject.Subject())
		}
	}
	for _, p := range m.Propagation {
		flags := uint(unix.AT_EMPTY_PATH)
		if p&unix.MS_REC != 0 {
			flags |= unix.AT_RECURSIVE
		}
		c.MountSetattr(mnt.Arg(), "", flags, 0, 0, p&^unix.MS_REC)
	}
	if !later && (!pinned || c.lastUse(m.subject.Index)) {
		c.Close(mnt.Arg())
	}
}

// lastUse reports whether no later entry needs the mount that this entry changes. A new file
// system may still become read-only.
func (c *compiler) lastUse(remount int) bool {
	n := c.remounts[remount]
	if _, kept := c.kept[n]; kept || !c.list[n].Bind {
		return false
	}
	for i := remount + 1; i < len(c.list); i++ {
		if other, ok := c.remounts[i]; ok && other == n {
			return false
		}
	}
	return true
}

// keepRemounted finds the mounts that have to stay pinned because a later entry changes them.
func (c *compiler) keepRemounted() {
	c.remounted, c.remounts = make(map[int]program.Word), make(map[int]int)
	for i, m := range c.list {
		if !m.Remount {
			continue
		}
		n := c.visible(i)
		if n < 0 {
			continue
		}
		c.remounts[i] = n
		if _, ok := c.remounted[n]; !ok {
			c.remounted[n] = c.Word("remounted"+strconv.Itoa(n), -1)
		}
	}
}

// visible returns the index of the mount that is visible at the destination of an entry, -1 when
// it is not in the list.
func (c *compiler) visible(i int) int {
	dest := c.list[i].dest
	there := c.lastAt(dest, i)
	for p := dest; p != "/"; {
		p = path.Dir(p)
		if c.lastAt(p, i) > there {
			return -1 // it is covered
		}
	}
	return there
}

// reconfigure changes the file system of a mount. The file system of a bind mount is the host's:
// only parameters for the file system change it, not "ro".
func (c *compiler) reconfigure(m *mount, target program.Word) {
	if m.Bind {
		return
	}
	params := m.Params
	if p := c.at[m.dest]; p != nil && !p.Bind && !pseudo(p.Type) {
		switch readonly, writable := m.Changes(unix.MOUNT_ATTR_RDONLY); {
		case readonly:
			params = append([]bundle.MountParam{{Key: "ro"}}, params...)
		case writable:
			params = append([]bundle.MountParam{{Key: "rw"}}, params...)
		}
	}
	if len(params) == 0 {
		return
	}
	defer c.block()()
	fs := c.take("fs")
	c.Fspick(target.Arg()).Into(fs)
	c.configure(fs, "mounted there", params)
	c.FsconfigReconfigure(fs.Arg())
	c.Close(fs.Arg())
}

// forgetReadonly drops the pending read-only attribute of an earlier mount, because a later entry
// decides.
func (c *compiler) forgetReadonly(dest string) {
	kept := c.readonly[:0]
	for _, r := range c.readonly {
		if r.dest != dest {
			kept = append(kept, r)
		}
	}
	c.readonly = kept
}

// noteRemount returns the subject with explanations of errors of a remount.
func (m *mount) noteRemount() program.Note {
	n := m.subject
	n.Step = stepRemount
	n.Explain = func(e syscall.Errno) string {
		reason := ""
		switch e {
		case unix.EINVAL, unix.ENOENT, unix.ENOTDIR, unix.EBADF:
			reason = "nothing is mounted there: "
		case unix.EPERM:
			reason = "an attribute is locked, for the mount comes from another user namespace: "
		case unix.EBUSY:
			reason = "a file on it is open for writing: "
		default:
			return ""
		}
		return n.Subject() + ": " + reason + e.Error()
	}
	return n
}
