package libcontainer

import (
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/host/idmap"
	"coracle/libcontainer/internal/oci/bundle"
)

// ConfigName is the name of the configuration in a bundle (bundle.md).
const ConfigName = bundle.ConfigName

// DefaultSpec returns a configuration to start from: it runs sh with a terminal in the directory
// rootfs of the bundle.
func DefaultSpec() *specs.Spec { return bundle.Default() }

// RootlessSpec returns [DefaultSpec] changed for a container that this user runs without
// privileges.
func RootlessSpec() *specs.Spec {
	s := bundle.Default()
	uids, gids := idmap.Own(os.Geteuid(), os.Getegid())
	bundle.ToRootless(s, uids, gids)
	return s
}
