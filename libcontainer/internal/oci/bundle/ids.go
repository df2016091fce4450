package bundle

import (
	"fmt"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci"
)

// IsGroupRange reports whether the kernel parameter at a path below /proc/sys has a range of
// group ids as its value.
func IsGroupRange(path string) bool { return path == "net/ipv4/ping_group_range" }

// usedID is a user or group id that a configuration uses, with the property that has it.
type usedID struct {
	pointer string
	group   bool
	id      uint32
	option  string // of a mount: "gid=5"
}

func (u usedID) problem(where string) Problem {
	if u.option != "" {
		return Predicate(u.pointer, "has %q, and %d is not mapped %s", u.option, u.id, where)
	}
	return About(u.pointer, "%d is not mapped %s", u.id, where)
}

// UnmappedUser returns a problem for each id of a process that a user namespace with these
// mappings does not map. whereUIDs and whereGIDs name the mappings: "by linux.uidMappings".
func UnmappedUser(p *specs.Process, uids, gids IDMap, whereUIDs, whereGIDs string) []Problem {
	return unmapped(processIDs(nil, p), uids, gids, whereUIDs, whereGIDs)
}

// UnmappedIDs is UnmappedUser for all ids of a configuration that refer to the user namespace of
// the container.
func UnmappedIDs(s *specs.Spec, uids, gids IDMap, whereUIDs, whereGIDs string) []Problem {
	return unmapped(usedIDs(s), uids, gids, whereUIDs, whereGIDs)
}

func unmapped(used []usedID, uids, gids IDMap, whereUIDs, whereGIDs string) (problems []Problem) {
	for _, u := range used {
		m, where := uids, whereUIDs
		if u.group {
			m, where = gids, whereGIDs
		}
		if _, ok := m.ToHost(u.id); !ok {
			problems = append(problems, u.problem(where))
		}
	}
	return problems
}

// UnmappedHostIDs returns a problem for each host id in the mappings of a configuration that does
// not exist in the runtime's user namespace, which has the mappings uids and gids.
func UnmappedHostIDs(s *specs.Spec, uids, gids IDMap) (problems []Problem) {
	check := func(pointer string, list []specs.LinuxIDMapping, own IDMap) {
		for i, e := range list {
			if !own.has(e.HostID, e.Size) {
				problems = append(problems, About(fmt.Sprintf("%s[%d]", pointer, i),
					"host ids %d to %d are not mapped in one piece in the user namespace of the runtime", e.HostID, e.HostID+e.Size-1))
			}
		}
	}
	if oci.HasNew(s, specs.UserNamespace) {
		check("linux.uidMappings", s.Linux.UIDMappings, uids)
		check("linux.gidMappings", s.Linux.GIDMappings, gids)
	}
	for i, m := range s.Mounts {
		check(fmt.Sprintf("mounts[%d].uidMappings", i), m.UIDMappings, uids)
		check(fmt.Sprintf("mounts[%d].gidMappings", i), m.GIDMappings, gids)
	}
	return problems
}

// has reports whether one entry maps all ids of a range of the namespace. The kernel does not
// combine several entries (user_namespaces(7)).
func (m IDMap) has(first, size uint32) bool {
	for _, e := range m {
		if first >= e.ContainerID && uint64(first-e.ContainerID)+uint64(size) <= uint64(e.Size) {
			return true
		}
	}
	return false
}

// usedIDs returns the ids of a configuration that have to exist in the user namespace of the
// container: the kernel refuses others.
func usedIDs(s *specs.Spec) []usedID {
	used := processIDs(nil, s.Process)
	for i, m := range s.Mounts {
		o, err := ParseMountOptions(m)
		if err != nil || o.Bind {
			continue
		}
		for _, p := range o.Params {
			if id, group, ok := p.ID(); ok {
				used = append(used, usedID{fmt.Sprintf("mounts[%d].options", i), group, id, p.String()})
			}
		}
	}
	if s.Linux == nil {
		return used
	}
	for i, d := range s.Linux.Devices {
		if d.UID != nil {
			used = append(used, usedID{pointer: fmt.Sprintf("linux.devices[%d].uid", i), id: *d.UID})
		}
		if d.GID != nil {
			used = append(used, usedID{pointer: fmt.Sprintf("linux.devices[%d].gid", i), id: *d.GID, group: true})
		}
	}
	for key, value := range s.Linux.Sysctl {
		if path, err := SysctlPath(key); err != nil || !IsGroupRange(path) {
			continue
		}
		// The kernel requires that both ends are mapped, also for the range that allows nobody.
		for _, field := range strings.Fields(value) {
			if id, err := strconv.ParseUint(field, 10, 32); err == nil {
				used = append(used, usedID{fmt.Sprintf("linux.sysctl[%q]", key), true, uint32(id), value})
			}
		}
	}
	return used
}

func processIDs(used []usedID, p *specs.Process) []usedID {
	if p == nil {
		return used
	}
	used = append(used,
		usedID{pointer: "process.user.uid", id: p.User.UID},
		usedID{pointer: "process.user.gid", id: p.User.GID, group: true})
	for i, g := range p.User.AdditionalGids {
		used = append(used, usedID{pointer: fmt.Sprintf("process.user.additionalGids[%d]", i), id: g, group: true})
	}
	return used
}

// ID returns the user or group id in an option of a file system: uid and gid of tmpfs and devpts,
// gid of proc, user_id and group_id of FUSE.
func (p MountParam) ID() (id uint32, group, ok bool) {
	switch p.Key {
	case "uid", "user_id":
	case "gid", "group_id":
		group = true
	default:
		return 0, false, false
	}
	n, err := strconv.ParseUint(p.Value, 0, 32) // as the kernel parses it
	return uint32(n), group, p.HasValue && err == nil
}
