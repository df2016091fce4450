package bundle

import (
	"fmt"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci"
)

// MountIDs are the id mappings in the value of an option "idmap=" or "ridmap=":
//
//	idmap=uids=0-1-10#10-11-10;gids=@0-100-10
//
// A range has its first id in the file system, the corresponding id on the host, and the number
// of ids. With "@" the second id is an id of the container's user namespace.
type MountIDs struct {
	text       string
	uids, gids []idRange
}

type idRange struct {
	specs.LinuxIDMapping
	relative bool
}

// parseMountIDs parses the value of an option.
func parseMountIDs(text string) (*MountIDs, error) {
	ids := MountIDs{text: text}
	for _, part := range strings.Split(text, ";") {
		kind, list, _ := strings.Cut(part, "=")
		into := &ids.uids
		switch kind {
		case "uids":
		case "gids":
			into = &ids.gids
		default:
			return nil, fmt.Errorf("%q is neither uids=… nor gids=…", part)
		}
		if *into != nil {
			return nil, fmt.Errorf("it has %s twice", kind)
		}
		for _, r := range strings.Split(list, "#") {
			parsed, err := parseIDRange(r)
			if err != nil {
				return nil, err
			}
			*into = append(*into, parsed)
		}
	}
	if ids.uids == nil || ids.gids == nil {
		return nil, fmt.Errorf("it needs both uids=… and gids=…")
	}
	return &ids, nil
}

func parseIDRange(text string) (r idRange, err error) {
	numbers, relative := strings.CutPrefix(text, "@")
	r.relative = relative
	fields := strings.Split(numbers, "-")
	if len(fields) != 3 {
		return r, fmt.Errorf("%q is not a range of ids: want FILESYSTEM-HOST-SIZE, or @FILESYSTEM-CONTAINER-SIZE", text)
	}
	for i, into := range []*uint32{&r.ContainerID, &r.HostID, &r.Size} {
		n, err := strconv.ParseUint(fields[i], 10, 32)
		if err != nil {
			return r, fmt.Errorf("%q is not a range of ids: %q is not an id or a number of ids", text, fields[i])
		}
		*into = uint32(n)
	}
	if _, err := (IDMap{r.LinuxIDMapping}).Check(); err != nil {
		return r, fmt.Errorf("%q is not a range of ids: %w", text, err)
	}
	return r, nil
}

// absolute resolves relative ranges with a mapping of the container's user namespace. A range
// that spans several entries of that mapping is split.
func absolute(ranges []idRange, userns IDMap, property string) (m IDMap, err error) {
	for _, r := range ranges {
		if !r.relative {
			m = append(m, r.LinuxIDMapping)
			continue
		}
		if len(userns) == 0 {
			return nil, fmt.Errorf(`"@" needs %s, which it is relative to`, property)
		}
		for rest := r.LinuxIDMapping; rest.Size > 0; {
			host, n := userns.rangeAt(rest.HostID)
			if n == 0 {
				return nil, fmt.Errorf("@%d-%d-%d: %s has no id %d", r.ContainerID, r.HostID, r.Size, property, rest.HostID)
			}
			n = min(n, rest.Size)
			m = append(m, specs.LinuxIDMapping{ContainerID: rest.ContainerID, HostID: host, Size: n})
			rest = specs.LinuxIDMapping{ContainerID: rest.ContainerID + n, HostID: rest.HostID + n, Size: rest.Size - n}
		}
	}
	return m, nil
}

// rangeAt maps an id of the namespace to the host's. n is how many ids from there on the same
// entry maps; 0 when the id is not mapped.
func (m IDMap) rangeAt(id uint32) (host, n uint32) {
	for _, e := range m {
		if id >= e.ContainerID && id-e.ContainerID < e.Size {
			return e.HostID + (id - e.ContainerID), e.Size - (id - e.ContainerID)
		}
	}
	return 0, 0
}

// MountIDMaps returns the id mappings that a mount sets itself, by its properties or its options.
// They are empty when it sets none, or uses those of the user namespace.
func MountIDMaps(s *specs.Spec, m specs.Mount, o *MountOptions) (uids, gids IDMap, err error) {
	if len(m.UIDMappings)+len(m.GIDMappings) > 0 || o.IDs == nil {
		return m.UIDMappings, m.GIDMappings, nil
	}
	var users, groups IDMap
	if s.Linux != nil && oci.Namespace(s, specs.UserNamespace) != nil {
		users, groups = s.Linux.UIDMappings, s.Linux.GIDMappings
	}
	if uids, err = absolute(o.IDs.uids, users, "linux.uidMappings"); err == nil {
		gids, err = absolute(o.IDs.gids, groups, "linux.gidMappings")
	}
	if err == nil {
		err = uids.checkText("uids")
	}
	if err == nil {
		err = gids.checkText("gids")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("idmap=%s: %w", o.IDs.text, err)
	}
	return uids, gids, nil
}

// checkText is Check for a mapping in an option.
func (m IDMap) checkText(name string) error {
	if i, err := m.Check(); err != nil && i >= 0 {
		return fmt.Errorf("%s: range %d: %w", name, i, err)
	} else if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
