package libcontainer

import (
	"errors"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/bundle"
)

// rootless tells whether containers may do without cgroups.
func (r *Runtime) rootless() bool {
	if r.Rootless != nil {
		return *r.Rootless
	}
	return os.Geteuid() != 0 || nested()
}

// InUserNamespace tells whether this process is in another user namespace than the first
// one of the system: its user 0 need not be the superuser of the host.
func InUserNamespace() bool { return nested() }

// checkPrivileges refuses what cannot be made without privileges, before anything is
// tried: the kernel would only say that it is not permitted.
func (r *Runtime) checkPrivileges(s *specs.Spec) error {
	if ownCapabilities()&(1<<unix.CAP_SYS_ADMIN) != 0 || bundle.Namespace(s, specs.UserNamespace) != nil {
		return nil
	}
	return errors.New("without privileges a container needs a user namespace (linux.namespaces); coracle spec --rootless makes a config.json with one")
}
