package compile

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// cgroupMount shows the container its cgroups: on a host with several hierarchies a tmpfs with a
// directory for each, on a unified host the single hierarchy. Without a cgroup namespace, the
// container's own part of each hierarchy is bind mounted, and the rest of the host's cgroups is
// invisible.
func (c *compiler) cgroupMount(m *mount) {
	hs := c.in.Host.Cgroups
	if len(hs) == 0 {
		c.remark(m.subject.Where(), "%s: the container has no cgroups; the mount is left out", m.subject.Subject())
		return
	}
	defer c.block()()
	mnt := c.take("mnt")
	attr := m.NewAttr()
	at := mountPoint{dir: true, strict: true}
	if len(hs) == 1 && hs[0].Name == "" {
		c.Describe(m.note())
		c.hierarchy(m, 0, attr, mnt)
		c.attach(m, mnt.Arg(), at, false)
		c.closeMount(m, mnt.Arg(), true)
		return
	}

	top := c.Word("cgroups", -1)
	c.Describe(m.note())
	c.newFilesystem("tmpfs", "tmpfs", c.withMountLabel("tmpfs", []bundle.MountParam{{Key: "mode", Value: "755", HasValue: true}}), attr&^unix.MOUNT_ATTR_RDONLY, top)
	c.attach(m, top.Arg(), at, false)
	for i, h := range hs {
		c.Describe(program.Note{Step: stepMountHierarchy, What: "mount the cgroup hierarchy", Object: h.Name, At: m.dest, Property: m.subject.Property, Index: m.subject.Index})
		c.hierarchy(m, i, attr, mnt)
		// No other process can reach the tmpfs yet, so only this program creates names in it.
		c.Mkdirat(top.Arg(), h.Name, 0o755)
		c.MoveMountAt(mnt.Arg(), top.Arg(), h.Name)
		c.Close(mnt.Arg())
		if names := strings.Split(h.Name, ","); len(names) > 1 {
			for _, n := range names {
				c.Symlinkat(h.Name, top.Arg(), n)
			}
		}
	}
	if attr&unix.MOUNT_ATTR_RDONLY != 0 {
		c.Describe(m.note())
		c.MountSetattr(top.Arg(), "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY, 0, 0)
	}
	c.closeMount(m, top.Arg(), true)
}

// pinCgroups opens the container's part of each hierarchy before a mount namespace is joined in
// which the host's paths are not valid. The cgroups exist by now.
func (c *compiler) pinCgroups() {
	if oci.Namespace(c.spec, specs.CgroupNamespace) != nil {
		return
	}
	c.pinned = make(map[int][]program.Word)
	for i, m := range c.list {
		if m.Remount || m.Bind || m.Type != "cgroup" {
			continue
		}
		c.Describe(m.note())
		for _, h := range c.in.Host.Cgroups {
			w := c.Word("cgroup", -1)
			//allow:path the host's cgroup, before the pivot
			c.OpenTree(program.Cwd(), h.Path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC).Into(w)
			c.pinned[i] = append(c.pinned[i], w)
		}
	}
}

// hierarchy makes a detached mount of the visible part of a hierarchy.
func (c *compiler) hierarchy(m *mount, i int, attr uint64, mnt program.Word) {
	h := c.in.Host.Cgroups[i]
	if oci.Namespace(c.spec, specs.CgroupNamespace) == nil {
		if pinned := c.pinned[m.subject.Index]; pinned != nil {
			c.Set(mnt, pinned[i].Arg())
		} else {
			// The cgroup exists by now, and before the pivot the host's paths are valid.
			//allow:path the host's cgroup, before the pivot
			c.OpenTree(program.Cwd(), h.Path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC).Into(mnt)
		}
		clr := uint64(0)
		if attr&unix.MOUNT_ATTR__ATIME != 0 {
			clr = unix.MOUNT_ATTR__ATIME
		}
		// Otherwise the copy would be a peer of the host's mount.
		c.MountSetattr(mnt.Arg(), "", unix.AT_EMPTY_PATH, attr, clr, unix.MS_PRIVATE)
		return
	}
	fstype, src := "cgroup", "cgroup"
	if len(h.Options) == 0 {
		fstype = "cgroup2"
	}
	var params []bundle.MountParam
	for _, o := range h.Options {
		k, v, has := strings.Cut(o, "=")
		params = append(params, bundle.MountParam{Key: k, Value: v, HasValue: has})
	}
	c.newFilesystem(fstype, src, params, attr, mnt)
}
