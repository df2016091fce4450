package idmap

import (
	"bufio"
	"io"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci/bundle"
)

// Own returns the widest mappings that a user without privileges can have: id 0 is the user, and
// the ids from 1 on are the user's subordinate ids (subuid(5), subgid(5)). Without subordinate
// ids, or without the helpers to map them, only id 0 is mapped.
func Own(uid, gid int) (uids, gids bundle.IDMap) {
	uids = bundle.IDMap{{ContainerID: 0, HostID: uint32(uid), Size: 1}}
	gids = bundle.IDMap{{ContainerID: 0, HostID: uint32(gid), Size: 1}}
	if _, ok := findHelper("newuidmap"); !ok || uid == 0 {
		return uids, gids
	}
	if _, ok := findHelper("newgidmap"); !ok {
		return uids, gids
	}
	names := []string{strconv.Itoa(uid)}
	if u, err := user.LookupId(names[0]); err == nil {
		names = append(names, u.Username)
	}
	moreUIDs, moreGIDs := subordinate("/etc/subuid", names), subordinate("/etc/subgid", names)
	if len(moreUIDs) == 0 || len(moreGIDs) == 0 {
		return uids, gids
	}
	return append(uids, moreUIDs...), append(gids, moreGIDs...)
}

// subordinate reads the subordinate ids of a user from a file, and maps them to the ids from 1
// on.
func subordinate(path string, names []string) bundle.IDMap {
	//allow:path /etc/subuid or /etc/subgid of the host
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	return parseSubordinate(f, names)
}

func parseSubordinate(r io.Reader, names []string) bundle.IDMap {
	var m bundle.IDMap
	next := uint32(1)
	for s := bufio.NewScanner(r); s.Scan(); {
		fields := strings.Split(s.Text(), ":")
		if len(fields) != 3 || !slices.Contains(names, fields[0]) {
			continue
		}
		first, err := strconv.ParseUint(strings.TrimSpace(fields[1]), 10, 32)
		size, sizeErr := strconv.ParseUint(strings.TrimSpace(fields[2]), 10, 32)
		if err != nil || sizeErr != nil {
			continue
		}
		entry := specs.LinuxIDMapping{ContainerID: next, HostID: uint32(first), Size: uint32(size)}
		// Skip a line that the kernel would refuse.
		if _, err := append(m, entry).Check(); err != nil {
			continue
		}
		m = append(m, entry)
		next += entry.Size
	}
	return m
}
