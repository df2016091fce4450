package bundle

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci/jsonpos"
)

// required reports whether the specification requires a property that its Go types do not mark as
// optional. In a few cases text and types differ.
func required(s *specs.Spec, path string) bool {
	for _, section := range foreignSections(s) {
		if jsonpos.Within(path, section.pointer) {
			return false
		}
	}
	switch {
	case path == "process.user":
		// config.md#user requires the ids, but not the object itself.
		return false
	case path == "linux.memoryPolicy.nodes":
		return false
	case strings.HasSuffix(path, ".major"), strings.HasSuffix(path, ".minor"):
		// For devices: "unless type is p".
		return !isFifo(s, jsonpos.Parent(path))
	}
	return true
}

// isFifo reports whether a property is a device of type p.
func isFifo(s *specs.Spec, pointer string) bool {
	if s.Linux == nil {
		return false
	}
	for i, d := range s.Linux.Devices {
		if d.Type == "p" && pointer == fmt.Sprintf("linux.devices[%d]", i) {
			return true
		}
	}
	return false
}
