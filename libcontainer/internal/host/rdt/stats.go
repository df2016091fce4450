package rdt

import (
	"path/filepath"
	"strings"

	"coracle/libcontainer/internal/linux"
)

// Stats are the limits of a container's class.
type Stats struct {
	L3CacheSchema string `json:"l3_cache_schema,omitempty"`
	MemBwSchema   string `json:"mem_bw_schema,omitempty"`
}

// Stats reads the schemata of the class. The schema of a resource that the processor does not
// control is empty.
func (m *Manager) Stats() (s Stats) {
	data, err := linux.ReadFollow(filepath.Join(m.saved.Class, schemata), maxFile)
	if err != nil {
		return s
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch resource, _, _ := strings.Cut(line, ":"); resource {
		case "L3":
			s.L3CacheSchema = line
		case "MB":
			s.MemBwSchema = line
		}
	}
	return s
}
