package bundle

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// NewUserNamespace tells whether the container gets a user namespace of its own, with
// the mappings of the configuration.
func NewUserNamespace(s *specs.Spec) bool {
	ns := Namespace(s, specs.UserNamespace)
	return ns != nil && ns.Path == ""
}

// userNamespace checks the mappings of ids. Those of a namespace that is joined are
// what they are: engines repeat them in the configuration, but they cannot be set.
func (v *validator) userNamespace() {
	l := v.spec.Linux
	v.idMap("linux.uidMappings", l.UIDMappings)
	v.idMap("linux.gidMappings", l.GIDMappings)
	ns := Namespace(v.spec, specs.UserNamespace)
	for _, m := range []struct {
		pointer string
		entries []specs.LinuxIDMapping
	}{{"linux.uidMappings", l.UIDMappings}, {"linux.gidMappings", l.GIDMappings}} {
		switch {
		case ns == nil && len(m.entries) > 0:
			v.bad(m.pointer, "needs a user namespace in linux.namespaces")
		case ns != nil && ns.Path == "" && len(m.entries) == 0:
			v.bad(m.pointer, "is missing or empty; a new user namespace needs it")
		}
	}
	if ns == nil || v.spec.Process == nil || len(l.UIDMappings) == 0 || len(l.GIDMappings) == 0 {
		return
	}
	mapped := func(pointer string, m IDMap, id uint32, list string) {
		if _, ok := m.ToHost(id); !ok {
			v.bad(pointer, "%d is not mapped by %s", id, list)
		}
	}
	u := v.spec.Process.User
	mapped("process.user.uid", l.UIDMappings, u.UID, "linux.uidMappings")
	mapped("process.user.gid", l.GIDMappings, u.GID, "linux.gidMappings")
	for i, g := range u.AdditionalGids {
		mapped(fmt.Sprintf("process.user.additionalGids[%d]", i), l.GIDMappings, g, "linux.gidMappings")
	}
}
