package libcontainer

import (
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
)

// Two questions to SELinux. The package go-selinux answers them too, and brings eleven packages
// that initialise in every command: a twentieth of what the start of one takes.

// selinuxRoot is where the policy of the kernel can be asked, empty when SELinux is not enabled.
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
	// Without a policy everything has the label of the kernel.
	label, err := linux.Self.Read("attr/current")
	if err != nil || strings.TrimRight(string(label), "\n\x00") == "kernel" {
		return ""
	}
	return root
}

// isPolicy reports whether a file system is that of the policy. One that is read-only is there
// for show: programs in containers take it as a sign that SELinux is not their concern.
func isPolicy(path string) bool {
	var st unix.Statfs_t
	//allow:path the host's /sys
	return unix.Statfs(path, &st) == nil && uint32(st.Type) == unix.SELINUX_MAGIC && st.Flags&unix.ST_RDONLY == 0
}

// selinuxKnows asks the policy for a label. The error is unix.EINVAL when it does not know it.
func selinuxKnows(root, label string) error {
	//allow:path the same
	return linux.Write(root+"/context", label)
}
