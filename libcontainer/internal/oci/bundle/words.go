package bundle

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci"
)

// Words are the words of the specification that a configuration may use, from the tables
// that its checks use.
type Words struct {
	// VersionMin and VersionMax are the first and the last release of the specification
	// that are known as ociVersion.
	VersionMin, VersionMax string
	// Hooks are the kinds of hooks.
	Hooks []string
	// Namespaces are the types of linux.namespaces.
	Namespaces []string
	// Capabilities are those of process.capabilities.
	Capabilities []string
	// MemoryModes and MemoryFlags are those of linux.memoryPolicy.
	MemoryModes, MemoryFlags []string
}

// KnownWords are the words that this version understands and does something about.
func KnownWords() Words {
	w := Words{Namespaces: oci.NamespaceTypes(), VersionMin: "1.0.0", VersionMax: specs.Version, MemoryModes: sortedNames(memoryModes), MemoryFlags: sortedNames(memoryFlags)}
	for _, kind := range hookKinds {
		w.Hooks = append(w.Hooks, kind.name)
	}
	for _, name := range capabilityNames {
		w.Capabilities = append(w.Capabilities, "CAP_"+name)
	}
	return w
}
