package source

import (
	"fmt"
	"strings"

	"coracle/libcontainer/internal/initprog/launch"
)

// IDMap is a new user namespace without processes. Its mappings are for the owners of files in
// mounts.
type IDMap struct {
	Property string
	// UIDs and GIDs are the mappings in the format of /proc/PID/uid_map and gid_map.
	UIDs, GIDs string
}

// Open creates the namespace.
func (m IDMap) Open(Opened) (int, error) {
	fd, err := launch.UserNamespace(m.UIDs, m.GIDs)
	if err != nil {
		return -1, fmt.Errorf("user namespace for the mapping of ids (%s): %w", m.Property, err)
	}
	return fd, nil
}

// ranges returns a mapping on one line.
func ranges(text string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", ", ")
}
