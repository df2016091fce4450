package compile

import (
	"fmt"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// idMap returns the number of the user namespace for a mount's id mapping: with the mount's own
// mappings, or those of the container's user namespace. Mounts with equal mappings share one.
// With later it is opened when the mount is made; otherwise the number is a descriptor of the
// program.
func (c *compiler) idMap(m *mount, later bool) int {
	pointer := m.subject.Where()
	uids, gids, err := bundle.MountIDMaps(c.spec, m.Mount, &m.MountOptions)
	if err != nil {
		c.fail(pointer+".options", "%v", err)
		return -1
	}
	if len(uids)+len(gids) == 0 {
		ns := oci.Namespace(c.spec, specs.UserNamespace)
		if ns == nil {
			c.fail(pointer, "a mapping of ids needs uidMappings and gidMappings, or a user namespace in linux.namespaces")
			return -1
		}
		pointer = "linux.namespaces"
		if ns.Path != "" {
			return c.userNamespace(source.Namespace{Property: pointer, Name: string(ns.Type), Path: ns.Path, Flag: unix.CLONE_NEWUSER}, later)
		}
		uids, gids = c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings
	}
	return c.userNamespace(source.IDMap{Property: pointer, UIDs: uids.String(), GIDs: gids.String()}, later)
}

// userNamespace returns the number of a user namespace; equal ones share a number.
func (c *compiler) userNamespace(s source.Source, later bool) int {
	key := source.Describe(s)
	if later {
		key = "later: " + key
	}
	if c.userns == nil {
		c.userns = make(map[string]int)
	}
	n, ok := c.userns[key]
	switch {
	case ok:
		return n
	case later:
		n = c.laterSource(s)
	default:
		c.source(s)
		n = c.out.SourceFD + len(c.out.Sources) - 1
	}
	c.userns[key] = n
	return n
}

// idMapNew maps the ids of a new file system.
func (c *compiler) idMapNew(m *mount, mnt program.Arg) {
	if m.IDMap == bundle.NoIDMap {
		return
	}
	n := m.subject
	n.Explain = func(e syscall.Errno) string {
		if e != unix.EINVAL {
			return ""
		}
		return fmt.Sprintf("%s: %v: the file system %q cannot have a mapping of ids", n.Subject(), e, m.Type)
	}
	c.step(n, func() { c.MountIDMap(mnt, unix.AT_EMPTY_PATH, c.idMap(m, false)) })
}
