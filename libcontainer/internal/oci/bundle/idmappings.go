package bundle

import (
	"fmt"
	"os"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// IDMap is a mapping of user or group ids: each entry maps a range of ids of a user namespace to
// as many ids of the host (config-linux.md#user-namespace-mappings). For a mount, the ids in its
// file system take the place of the namespace's ids.
type IDMap []specs.LinuxIDMapping

// maxIDMap is the number of entries that the kernel takes (user_namespaces(7)).
const maxIDMap = 340

// Check finds what the kernel would refuse. index is the index of the wrong entry, or -1 when the
// mapping as a whole is wrong; the error then continues the name of the mapping ("has 400
// entries"). An empty mapping is valid.
func (m IDMap) Check() (index int, err error) {
	if len(m) > maxIDMap {
		return -1, fmt.Errorf("has %d entries, the kernel takes at most %d", len(m), maxIDMap)
	}
	for i, e := range m {
		switch {
		case e.Size == 0:
			return i, fmt.Errorf("size is missing or 0; it must be the number of ids")
		case uint64(e.ContainerID)+uint64(e.Size) > maxID+1:
			return i, fmt.Errorf("containerID %d with size %d goes beyond the last id, %d", e.ContainerID, e.Size, uint32(maxID))
		case uint64(e.HostID)+uint64(e.Size) > maxID+1:
			return i, fmt.Errorf("hostID %d with size %d goes beyond the last id, %d", e.HostID, e.Size, uint32(maxID))
		}
		for j, other := range m[:i] {
			if overlap(e.ContainerID, e.Size, other.ContainerID, other.Size) {
				return i, fmt.Errorf("container ids %d to %d overlap with those of entry %d", e.ContainerID, e.ContainerID+e.Size-1, j)
			}
			if overlap(e.HostID, e.Size, other.HostID, other.Size) {
				return i, fmt.Errorf("host ids %d to %d overlap with those of entry %d", e.HostID, e.HostID+e.Size-1, j)
			}
		}
	}
	if page := os.Getpagesize(); len(m.String()) >= page {
		return -1, fmt.Errorf("has %d bytes as text, the kernel takes less than %d", len(m.String()), page)
	}
	return -1, nil
}

// overlap reports whether two ranges have an id in common.
func overlap(a, sizeA, b, sizeB uint32) bool {
	return uint64(a) < uint64(b)+uint64(sizeB) && uint64(b) < uint64(a)+uint64(sizeA)
}

// String returns the mapping in the format of /proc/PID/uid_map and gid_map.
func (m IDMap) String() string {
	var b strings.Builder
	for _, e := range m {
		fmt.Fprintf(&b, "%d %d %d\n", e.ContainerID, e.HostID, e.Size)
	}
	return b.String()
}

// IsIdentity reports whether every mapped id is the same on the host. It is true for an empty
// mapping.
func (m IDMap) IsIdentity() bool {
	return !slices.ContainsFunc(m, func(e specs.LinuxIDMapping) bool { return e.ContainerID != e.HostID })
}

// ParseIDMap parses a mapping in the format of /proc/PID/uid_map and gid_map.
func ParseIDMap(text string) (m IDMap, err error) {
	for line := range strings.Lines(text) {
		var e specs.LinuxIDMapping
		if _, err := fmt.Sscan(line, &e.ContainerID, &e.HostID, &e.Size); err != nil {
			return nil, fmt.Errorf("%q is not a line of an id mapping", strings.TrimSpace(line))
		}
		m = append(m, e)
	}
	return m, nil
}

// ToHost maps an id of the namespace to the host's. ok is false when it is not mapped.
func (m IDMap) ToHost(id uint32) (uint32, bool) {
	for _, e := range m {
		if id >= e.ContainerID && id-e.ContainerID < e.Size {
			return e.HostID + (id - e.ContainerID), true
		}
	}
	return 0, false
}

// ToContainer maps an id of the host to the namespace's. ok is false when it is not mapped.
func (m IDMap) ToContainer(id uint32) (uint32, bool) {
	for _, e := range m {
		if id >= e.HostID && id-e.HostID < e.Size {
			return e.ContainerID + (id - e.HostID), true
		}
	}
	return 0, false
}

// idMap checks a mapping of the configuration.
func (v *validator) idMap(pointer string, m []specs.LinuxIDMapping) {
	switch i, err := IDMap(m).Check(); {
	case err == nil:
	case i < 0:
		v.badProperty(pointer, "%v", err)
	default:
		v.bad(fmt.Sprintf("%s[%d]", pointer, i), "%v", err)
	}
}
