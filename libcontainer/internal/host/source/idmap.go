package source

import (
	"fmt"
	"strings"

	"coracle/libcontainer/internal/initprog/launch"
)

// IDMap is a new user namespace that nobody is in. Its mappings are for the owners of
// files in mounts.
type IDMap struct {
	Property string
	// UIDs and GIDs are the mappings as /proc/PID/uid_map and gid_map take them.
	UIDs, GIDs string
}

// Open makes the namespace.
func (m IDMap) Open(Opened) (int, error) {
	fd, err := launch.UserNamespace(m.UIDs, m.GIDs)
	if err != nil {
		return -1, fmt.Errorf("user namespace for the mapping of ids (%s): %w", m.Property, err)
	}
	return fd, nil
}

// ranges writes a mapping on one line.
func ranges(text string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", ", ")
}
