package bundle

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci"
)

// Words are the names that a configuration may use, from the tables that the checks use.
type Words struct {
	// VersionMin and VersionMax are the first and the last release of the specification that are
	// accepted as ociVersion.
	VersionMin, VersionMax string
	// Hooks are the kinds of hooks.
	Hooks []string
	// Namespaces are the types of linux.namespaces.
	Namespaces []string
	// Capabilities are the names for process.capabilities.
	Capabilities []string
	// MemoryModes and MemoryFlags are the names for linux.memoryPolicy.
	MemoryModes, MemoryFlags []string
}

// KnownWords returns the names that this version supports.
func KnownWords() Words {
	w := Words{Namespaces: oci.NamespaceTypes(), VersionMin: "1.0.0", VersionMax: specs.Version, MemoryModes: memoryModes.Words(), MemoryFlags: memoryFlags.Words()}
	for _, kind := range hookKinds {
		w.Hooks = append(w.Hooks, kind.name)
	}
	for _, name := range capabilityNames {
		w.Capabilities = append(w.Capabilities, "CAP_"+name)
	}
	return w
}
