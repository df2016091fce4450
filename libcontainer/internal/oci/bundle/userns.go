package bundle

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci"
)

// userNamespace checks the id mappings. The mappings of a namespace that is joined cannot be set;
// engines only repeat them in the configuration.
func (v *validator) userNamespace() {
	l := v.spec.Linux
	v.idMap("linux.uidMappings", l.UIDMappings)
	v.idMap("linux.gidMappings", l.GIDMappings)
	ns := oci.Namespace(v.spec, specs.UserNamespace)
	for _, m := range []struct {
		pointer string
		entries []specs.LinuxIDMapping
	}{{"linux.uidMappings", l.UIDMappings}, {"linux.gidMappings", l.GIDMappings}} {
		switch {
		case ns == nil && len(m.entries) > 0:
			v.badProperty(m.pointer, "needs a user namespace in linux.namespaces")
		case oci.HasNew(v.spec, specs.UserNamespace) && len(m.entries) == 0:
			v.badProperty(m.pointer, "is missing or empty; a new user namespace needs it")
		}
	}
	if ns == nil || len(l.UIDMappings) == 0 || len(l.GIDMappings) == 0 || len(l.UIDMappings) > maxIDMap || len(l.GIDMappings) > maxIDMap {
		return
	}
	// The container's root user builds the container and owns the files that are made for it.
	if _, ok := IDMap(l.UIDMappings).ToHost(0); !ok {
		v.badProperty("linux.uidMappings", "has no mapping of the container's user id 0, which every container needs")
	}
	if _, ok := IDMap(l.GIDMappings).ToHost(0); !ok {
		v.badProperty("linux.gidMappings", "has no mapping of the container's group id 0, which every container needs")
	}
	v.problems = append(v.problems, UnmappedIDs(v.spec, l.UIDMappings, l.GIDMappings, "by linux.uidMappings", "by linux.gidMappings")...)
}
