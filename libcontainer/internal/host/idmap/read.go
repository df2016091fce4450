package idmap

import (
	"fmt"

	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/bundle"
)

// Of reads the mappings of a process's user namespace, as seen from the user namespace of this
// process.
func Of(p linux.Process) (uids, gids bundle.IDMap, err error) {
	if uids, err = read(p, "uid_map"); err != nil {
		return nil, nil, err
	}
	gids, err = read(p, "gid_map")
	return uids, gids, err
}

func read(p linux.Process, file string) (bundle.IDMap, error) {
	data, err := p.Read(file)
	if err != nil {
		return nil, err
	}
	m, err := bundle.ParseIDMap(string(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Path(file), err)
	}
	return m, nil
}
