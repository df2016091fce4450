package libcontainer

import (
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
)

// Two queries to SELinux. The package go-selinux has them, too, but imports eleven packages that
// are initialized in every command, which takes a twentieth of its start-up time.

// selinuxRoot returns the directory for queries to the kernel's policy, empty when SELinux is not
// enabled.
func selinuxRoot() string {
	root := "/sys/fs/selinux"
	if !isPolicy(root) {
		is := func(m *mountinfo.Info) (skip, stop bool) {
			return m.FSType != "selinuxfs" || !isPolicy(m.Mountpoint), false
		}
		mounts, err := mountinfo.GetMounts(is)
		if err != nil || len(mounts) == 0 {
			return ""
		}
		root = mounts[0].Mountpoint
	}
	// Without a policy everything has the label "kernel".
	label, err := linux.Self.Read("attr/current")
	if err != nil || strings.TrimRight(string(label), "\n\x00") == "kernel" {
		return ""
	}
	return root
}

// isPolicy reports whether a path is the policy's file system. A read-only one is only for show:
// programs in containers read it as a sign that SELinux does not concern them.
func isPolicy(path string) bool {
	var st unix.Statfs_t
	//allow:path the host's /sys
	return unix.Statfs(path, &st) == nil && uint32(st.Type) == unix.SELINUX_MAGIC && st.Flags&unix.ST_RDONLY == 0
}

// selinuxKnows asks the policy whether it knows a label. The error is unix.EINVAL when it does
// not.
func selinuxKnows(root, label string) error {
	//allow:path the same
	return linux.Write(root+"/context", label)
}
