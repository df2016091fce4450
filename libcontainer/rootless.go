package libcontainer

import (
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/idmap"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// rootless reports whether containers may run without cgroups.
func (r *Runtime) rootless() bool {
	if r.Rootless != nil {
		return *r.Rootless
	}
	return os.Geteuid() != 0 || InUserNamespace()
}

// InUserNamespace reports whether this process is outside of the initial user namespace: user 0
// may then not be the superuser of the host. The result is cached, so the process must not change
// its namespaces.
func InUserNamespace() bool { return linux.InUserNamespace() }

// checkOwnIDs refuses ids that do not exist in the user namespace of this process, unless that is
// the initial one.
func checkOwnIDs(s *specs.Spec) error {
	if !InUserNamespace() {
		return nil
	}
	uids, gids, err := idmap.Of(linux.Self)
	if err != nil {
		return fmt.Errorf("mappings of ids: %w", err)
	}
	problems := bundle.UnmappedHostIDs(s, uids, gids)
	if oci.Namespace(s, specs.UserNamespace) == nil {
		const where = "in the user namespace of the runtime"
		problems = append(problems, bundle.UnmappedIDs(s, uids, gids, where, where)...)
	}
	if len(problems) > 0 {
		return problems[0]
	}
	return nil
}

// checkPrivileges refuses what needs privileges that this process lacks, before anything is
// tried: the kernel's error would only be "not permitted".
func (r *Runtime) checkPrivileges(s *specs.Spec) error {
	if bundle.HasCapabilities(ownCapabilities(), unix.CAP_SYS_ADMIN) || oci.Namespace(s, specs.UserNamespace) != nil {
		return nil
	}
	return fault.Facts{Code: fault.UserNamespaceNeeded, Property: "linux.namespaces"}.Errorf("without privileges a container needs a user namespace (linux.namespaces)")
}
