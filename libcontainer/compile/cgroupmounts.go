package compile

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/bundle"
	"coracle/libcontainer/program"
)

// cgroupMount shows the container its cgroups: on a host with several hierarchies
// a tmpfs with one directory for each, on a unified one the single hierarchy.
// Without a cgroup namespace the container sees its own part of each, bind
// mounted; the rest of the host's cgroups stays out of its sight.
func (c *compiler) cgroupMount(m *mount) {
	hs := c.in.Host.Cgroups
	if len(hs) == 0 {
		c.warn("%s: the host has no cgroups; the mount is left out", m.subject.Subject())
		return
	}
	attr := m.Attr.Set&^m.TreeAttr.Clear | m.TreeAttr.Set
	at := mountPoint{dir: true, strict: true}
	if len(hs) == 1 && hs[0].Name == "" {
		c.Describe(m.note())
		c.hierarchy(hs[0], attr)
		c.attach(m, c.mnt.Arg(), at, false)
		c.closeMount(m, c.mnt.Arg(), true)
		return
	}

	top := c.Word("cgroups", -1)
	c.Describe(m.note())
	c.newFilesystem("tmpfs", "tmpfs", []bundle.MountParam{{Key: "mode", Value: "755", HasValue: true}}, attr&^unix.MOUNT_ATTR_RDONLY, top)
	c.attach(m, top.Arg(), at, false)
	for _, h := range hs {
		c.Describe(program.Note{What: "mount the cgroup hierarchy", Object: h.Name, At: m.dest, Pointer: m.subject.Pointer, Index: m.subject.Index})
		c.hierarchy(h, attr)
		// The tmpfs is ours alone up to now: nothing but this program makes names in it.
		c.Mkdirat(top.Arg(), h.Name, 0o755)
		c.MoveMountAt(c.mnt.Arg(), top.Arg(), h.Name)
		c.Close(c.mnt.Arg())
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

// hierarchy makes a detached mount of what the container may see of a hierarchy.
func (c *compiler) hierarchy(h Hierarchy, attr uint64) {
	if ns := bundle.Namespace(c.spec, specs.CgroupNamespace); ns == nil {
		if !c.ownMounts() {
			// In a mount namespace of others, paths mean what they want them to mean.
			c.fail("linux.namespaces: cgroups can only be mounted in a joined mount namespace together with a cgroup namespace")
			return
		}
		// The cgroup exists by now, and before the pivot the host's paths are valid.
		c.OpenTree(program.Cwd(), h.Path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC).Into(c.mnt)
		c.MountSetattr(c.mnt.Arg(), "", unix.AT_EMPTY_PATH, attr, 0, 0)
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
	c.newFilesystem(fstype, src, params, attr, c.mnt)
}
