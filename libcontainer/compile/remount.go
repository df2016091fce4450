package compile

import (
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/bundle"
	"coracle/libcontainer/program"
)

// remount changes what is mounted at a destination: the attributes that the options
// name, as mount(8) does, and with parameters or without "bind" its file system. All
// others stay, so that a remount for one purpose does not give away the protection that
// another option was for.
func (c *compiler) remount(m *mount) {
	how := program.Lookup{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: inRoot}
	c.Describe(m.noteRemount())
	c.Openat2(c.root, rootOr(relative(m.dest)), how).Into(c.target)
	c.reconfigure(m)

	readonly, writable := m.Changes(unix.MOUNT_ATTR_RDONLY)
	previous := c.at[m.dest]
	later := readonly && previous != nil && c.readonlyLater(previous)
	if readonly || writable {
		c.forgetReadonly(m.dest)
	}
	mnt := c.target
	if later {
		mnt = c.Word("mnt"+strconv.Itoa(m.subject.Index), -1)
		c.Set(mnt, c.target.Arg())
		c.readonly = append(c.readonly, readonlyMount{mnt, m.dest, m.noteRemount()})
	}
	for _, a := range m.Attrs {
		flags := uint(unix.AT_EMPTY_PATH)
		if a.Recursive {
			flags |= unix.AT_RECURSIVE
		} else if later {
			a.Set &^= unix.MOUNT_ATTR_RDONLY
		}
		if a.Set|a.Clear != 0 {
			c.MountSetattr(mnt.Arg(), "", flags, a.Set, a.Clear, 0)
		}
	}
	for _, p := range m.Propagation {
		flags := uint(unix.AT_EMPTY_PATH)
		if p&unix.MS_REC != 0 {
			flags |= unix.AT_RECURSIVE
		}
		c.MountSetattr(mnt.Arg(), "", flags, 0, 0, p&^unix.MS_REC)
	}
	if !later {
		c.Close(mnt.Arg())
	}
}

// reconfigure changes the file system of a mount. That of a bind mount is the host's:
// it only changes by parameters that are meant for it, not by "ro".
func (c *compiler) reconfigure(m *mount) {
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
	c.Fspick(c.target.Arg()).Into(c.fs)
	c.configure("mounted there", params)
	c.FsconfigReconfigure(c.fs.Arg())
	c.Close(c.fs.Arg())
}

// forgetReadonly drops the last attribute of an earlier mount: a later entry decides.
func (c *compiler) forgetReadonly(dest string) {
	kept := c.readonly[:0]
	for _, r := range c.readonly {
		if r.dest != dest {
			kept = append(kept, r)
		}
	}
	c.readonly = kept
}

// noteRemount is the subject with explanations of what can go wrong with a remount.
func (m *mount) noteRemount() program.Note {
	n := m.subject
	n.Explain = func(e syscall.Errno) string {
		reason := ""
		switch e {
		case unix.EINVAL, unix.ENOENT, unix.ENOTDIR:
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
