package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/linux"
)

// propagation checks the propagation of the host's mounts.
func (p *patient) propagation() {
	f := Finding{Name: "propagation", Found: "the root mount of the host is shared"}
	root := slices.IndexFunc(p.mounts, func(m *mountinfo.Info) bool { return m.Mountpoint == "/" })
	switch {
	case root < 0:
		f.Status, f.Found, f.Cost = Degraded, "the root mount of the host cannot be seen", "mount propagation cannot be judged"
		f.Mend = "run this command outside of a chroot"
	case !strings.Contains(p.mounts[root].Optional, "shared:"):
		f.Status, f.Found = Degraded, "the root mount of the host is private"
		f.Cost = "what the host mounts later does not appear in volumes with rslave or rshared, and what a container mounts in one with rshared does not appear on the host"
		f.Mend, f.Commands = "make it shared, as systemd does at boot", []string{"mount --make-rshared /"}
	}
	p.add(f)
}

// manyMounts is a number of mounts with which creating a mount namespace is slow.
const manyMounts = 1000

// mountAPI creates a mount with the new mount API, without attaching it.
func (p *patient) mountAPI() {
	f := Finding{Name: "mounts.api", Required: p.Privileged, Found: "mounts can be made, changed and attached by descriptors"}
	if !p.Privileged {
		f.Found += " (in a user namespace: not tried)"
	} else if err := detachedMount(); err != nil {
		f.Status, f.Found, f.Cost = Missing, fmt.Sprintf("a mount cannot be made by descriptors: %v", err), "no container can be made"
		f.Mend = "a security policy or a sandbox forbids it"
	}
	p.add(f)
}

// hostMounts counts the mounts of the host.
func (p *patient) hostMounts() {
	if p.mountsErr != nil {
		return
	}
	count := len(p.mounts)
	f := Finding{Name: "mounts.host", Found: fmt.Sprintf("a mount namespace is made as a copy of the host's, which has %s", plural(count, "mount"))}
	if count > manyMounts {
		f.Status, f.Cost = Degraded, "each container takes longer to make and to end, in proportion to that number"
		f.Mend = "unmount what is not needed; mounts of containers that have ended are listed by \"findmnt\""
	}
	p.add(f)
	if limit := number("/proc/sys/fs/mount-max"); limit > 0 && count*2 > limit {
		p.add(Finding{
			Name: "mounts.limit", Status: Degraded, Found: fmt.Sprintf("a mount namespace may have %d mounts, the host has %d", limit, count),
			Cost: "containers with many mounts are refused", Mend: "raise the limit", Commands: []string{fmt.Sprintf("sysctl -w fs.mount-max=%d", 4*count)},
		})
	}
}

// detachedMount creates a tmpfs and does not attach it.
func detachedMount() error {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("fsopen: %w", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return fmt.Errorf("fsconfig: %w", err)
	}
	mnt, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("fsmount: %w", err)
	}
	defer unix.Close(mnt)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(mnt, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return fmt.Errorf("mount_setattr: %w", err)
	}
	return nil
}

// interfaces are file systems that are interfaces of the kernel and have no files of users.
var interfaces = []string{
	"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs", "fusectl", "hugetlbfs",
	"mqueue", "nsfs", "proc", "pstore", "ramfs", "resctrl", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
}

// idmapped maps the ids of a copy of a mount of each file system in use, without attaching it.
func (p *patient) idmapped() {
	const name = "mounts.idmapped"
	if !p.Privileged {
		p.add(Finding{
			Name: name, Status: Missing, Found: "mounts get other ids by privileges only",
			Cost: "mounts with uidMappings or idmap are refused", Mend: "run as root",
		})
		return
	}
	if p.mountsErr != nil {
		return
	}
	users, err := launch.UserNamespace("0 1000 1000\n", "0 1000 1000\n")
	if err != nil {
		p.add(Finding{
			Name: name, Status: Missing, Found: fmt.Sprintf("there is no user namespace to take ids from: %v", err),
			Cost: "mounts with uidMappings or idmap are refused", Mend: "see namespaces.user",
		})
		return
	}
	ns := linux.NewFD(users)
	defer ns.Close()
	var can, cannot []string
	for _, m := range p.mounts {
		if slices.Contains(interfaces, m.FSType) || slices.Contains(can, m.FSType) || slices.Contains(cannot, m.FSType) {
			continue
		}
		switch err := idmapOf(m.Mountpoint, ns); {
		case err == nil:
			can = append(can, m.FSType)
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP):
			cannot = append(cannot, m.FSType)
		}
	}
	slices.Sort(can)
	slices.Sort(cannot)
	f := Finding{Name: name, Found: "mounts of " + strings.Join(can, ", ") + " can have other ids"}
	if len(cannot) > 0 {
		f.Status = Degraded
		if len(can) == 0 {
			f.Status, f.Found = Missing, "no mount can have other ids"
		}
		f.Found += ", those of " + strings.Join(cannot, ", ") + " cannot"
		f.Cost = "volumes there are refused with uidMappings or idmap, which Kubernetes uses for pods with a user namespace"
		f.Mend = "a newer kernel, or another file system for volumes"
	}
	p.add(f)
}

// idmapOf maps the ids of a copy of the mount at a path, without attaching it.
func idmapOf(path string, users linux.FD) error {
	//allow:path a mount of the host, which root may see; nothing of it is changed
	n, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_NO_AUTOMOUNT)
	if err != nil {
		return err
	}
	tree := linux.NewFD(n)
	defer tree.Close()
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(users.Int())}
	return unix.MountSetattr(tree.Int(), "", unix.AT_EMPTY_PATH, &attr)
}
