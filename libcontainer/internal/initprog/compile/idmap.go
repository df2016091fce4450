package compile

import (
	"fmt"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci/bundle"
)

// idMap is the descriptor of the user namespace whose mappings a mount gets: its own
// ones, otherwise those of the container's user namespace. Mounts with equal mappings
// share a namespace.
func (c *compiler) idMap(m *mount) int {
	pointer := m.subject.Where()
	uids, gids, err := bundle.MountIDMaps(c.spec, m.Mount, &m.MountOptions)
	if err != nil {
		c.fail(pointer+".options", "%v", err)
		return -1
	}
	if len(uids)+len(gids) == 0 {
		ns := bundle.Namespace(c.spec, specs.UserNamespace)
		if ns == nil {
			c.fail(pointer, "a mapping of ids needs uidMappings and gidMappings, or a user namespace in linux.namespaces")
			return -1
		}
		pointer = "linux.namespaces"
		if ns.Path != "" {
			return c.userNamespace(source.Namespace{Pointer: pointer, Name: string(ns.Type), Path: ns.Path, Flag: unix.CLONE_NEWUSER})
		}
		uids, gids = c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings
	}
	return c.userNamespace(source.IDMap{Pointer: pointer, UIDs: uids.String(), GIDs: gids.String()})
}

// userNamespace is the descriptor of a user namespace, the same for equal ones.
func (c *compiler) userNamespace(s source.Source) int {
	key := source.Describe(s)
	if c.userns == nil {
		c.userns = make(map[string]int)
	}
	fd, ok := c.userns[key]
	if !ok {
		c.source(s)
		fd = c.out.SourceFD + len(c.out.Sources) - 1
		c.userns[key] = fd
	}
	return fd
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
	c.Describe(n)
	c.MountIDMap(mnt, unix.AT_EMPTY_PATH, c.idMap(m))
	c.Describe(m.note())
}
