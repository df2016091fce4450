package compile

import (
	"syscall"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci/bundle"
)

// labels sets what confines the process from its execve on: an AppArmor profile, or an SELinux
// label, which new keyrings get as well with keys. It does not confine this program.
//
// Attacker: a mount over /proc or parts of it, which would make the label land in another file
// and leave the process unconfined (CVE-2023-28642, CVE-2025-52881). So this comes first of all,
// in the mount namespace of the runtime, where the container has no influence. The label stays
// with the process through forks and namespaces. In addition, the directory is verified to be the
// root of a procfs, and the lookup from there may cross no mount. A new procfs that is mounted
// nowhere would do as well, but cannot be made in the user namespace of a container with masks,
// which exec joins, nor in many outer containers.
func (c *compiler) labels(keys bool) {
	p := c.spec.Process
	if p == nil || p.ApparmorProfile == "" && p.SelinuxLabel == "" {
		return
	}
	proc := c.Word("attrs", -1)
	c.openProc(proc)
	if p.ApparmorProfile != "" {
		c.apparmor(proc.Arg(), p.ApparmorProfile)
	}
	if p.SelinuxLabel != "" {
		c.selinux(proc.Arg(), stepSELinux, "exec", "set the SELinux label of the process", p.SelinuxLabel)
		if keys {
			c.selinux(proc.Arg(), stepSELinuxKeyring, "keycreate", "set the SELinux label of the keyring", p.SelinuxLabel)
		}
	}
	c.Close(proc.Arg())
}

// openProc pins the procfs at /proc.
func (c *compiler) openProc(into program.Word) {
	const rootInode = 1
	c.note(stepOpenProc, "", "open the procfs of the runtime", "")
	//allow:path the runtime's own, verified below
	c.Openat2(program.Cwd(), "/proc", program.Lookup{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS,
	}).Into(into)
	c.Describe(program.Note{Step: stepOpenProc, What: "open the procfs of the runtime", Explain: func(e syscall.Errno) string {
		if e != unix.EXDEV {
			return ""
		}
		return "what is mounted at /proc is not a procfs: security labels cannot be set"
	}})
	c.Fstatfs(into.Arg(), c.statfs)
	c.CheckFilesystem(c.statfs, unix.PROC_SUPER_MAGIC, unix.EXDEV)
	c.Statx(into.Arg(), "", unix.AT_EMPTY_PATH, c.stat)
	c.Check(c.stat.Ino(), ^uint32(0), rootInode, unix.EXDEV)
}

// attribute returns the path in /proc of a security module's file for this thread.
func attribute(name string) string { return "thread-self/attr/" + name }

// openAttribute opens the file below a pinned procfs.
func (c *compiler) openAttribute(proc program.Arg, name string, into program.Word) program.Op {
	return c.Openat2(proc, attribute(name), program.Lookup{
		Flags:   unix.O_WRONLY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}).Into(into)
}

// apparmor sets the profile.
func (c *compiler) apparmor(proc program.Arg, profile string) {
	defer c.block()()
	tmp := c.take("tmp")
	const file = "apparmor/exec"
	note := program.Note{Step: stepAppArmor, What: "apply the AppArmor profile", Object: profile, Property: "process.apparmorProfile"}
	opening, writing := note, note
	opening.Explain = attributeError(note, file, map[syscall.Errno]string{
		unix.ENOENT: "this kernel has no AppArmor",
	})
	// The kernel's error for a missing profile would be read as a missing command.
	writing.Explain = attributeError(note, file, map[syscall.Errno]string{
		unix.ENOENT: "the profile is not loaded (apparmor_parser -r FILE loads one)",
		unix.EINVAL: "AppArmor is not enabled on this host, or does not take the name",
		unix.EACCES: "the profile that the runtime itself runs under does not allow it: permission denied",
		unix.EPERM:  "the profile that the runtime itself runs under does not allow it: operation not permitted",
	})
	done := c.Label()
	c.Describe(opening)
	open := c.openAttribute(proc, file, tmp)
	c.Describe(writing)
	write := c.Write(tmp.Arg(), "exec "+profile)
	if profile == bundle.Unconfined {
		// Without AppArmor the process is unconfined already.
		open.Allow(unix.ENOENT).Else(done)
		write.Allow(unix.EINVAL)
	}
	c.Close(tmp.Arg())
	c.Bind(done)
}

// selinux sets a label.
func (c *compiler) selinux(proc program.Arg, step program.Step, file, what, label string) {
	defer c.block()()
	tmp := c.take("tmp")
	note := program.Note{Step: step, What: what, Object: label, Property: "process.selinuxLabel"}
	note.Explain = attributeError(note, file, map[syscall.Errno]string{
		unix.EINVAL: "the policy of this host does not know the label: invalid argument",
		unix.EACCES: "the policy of this host does not let the runtime set it: permission denied",
	})
	c.Describe(note)
	c.openAttribute(proc, file, tmp)
	c.Write(tmp.Arg(), label)
	c.Close(tmp.Arg())
}

// attributeError explains why an attribute could not be written. Podman recognizes such errors by
// the quoted path.
func attributeError(n program.Note, file string, reasons map[syscall.Errno]string) func(syscall.Errno) string {
	return func(e syscall.Errno) string {
		reason, ok := reasons[e]
		switch {
		case e == unix.EXDEV:
			reason = "something is mounted over it"
		case !ok:
			reason = e.Error()
		}
		return n.Subject() + ": write `/proc/" + attribute(file) + "`: " + reason
	}
}
