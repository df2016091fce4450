package idmap

import (
	"fmt"

	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/bundle"
)

// Of reads the mappings of the user namespace that a process is in, as this process sees
// them. process is its name in /proc: a pid or "self".
func Of(process string) (uids, gids bundle.IDMap, err error) {
	if uids, err = read("/proc/" + process + "/uid_map"); err != nil {
		return nil, nil, err
	}
	gids, err = read("/proc/" + process + "/gid_map")
	return uids, gids, err
}

func read(path string) (bundle.IDMap, error) {
	const limit = 1 << 16 // the kernel takes 340 lines
	//allow:path the host's /proc
	data, err := linux.ReadFollow(path, limit)
	if err != nil {
		return nil, err
	}
	m, err := bundle.ParseIDMap(string(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}
