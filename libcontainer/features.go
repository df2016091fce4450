package libcontainer

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go/features"

	"coracle/libcontainer/internal/initprog/seccomp"
	"coracle/libcontainer/internal/oci/bundle"
)

// Features is what this version supports, whatever the host can do (features.md); only the
// flags of seccomp that are supported are those of the kernel, as is demanded. It is taken
// from the tables and checks that containers are made with: what is refused in a
// configuration is not in it.
func Features() *features.Features {
	words := bundle.KnownWords()
	return &features.Features{
		OCIVersionMin: words.VersionMin,
		OCIVersionMax: words.VersionMax,
		Hooks:         words.Hooks,
		MountOptions:  bundle.MountOptionNames(),
		Linux: &features.Linux{
			Namespaces:   words.Namespaces,
			Capabilities: words.Capabilities,
			Cgroup: &features.Cgroup{
				V1: is(true), V2: is(true), Rdma: is(true),
				Systemd: is(true), SystemdUser: is(true),
			},
			Seccomp: &features.Seccomp{
				Enabled: is(true),
				Actions: texts(seccomp.Actions()), Operators: texts(seccomp.Operators()), Archs: texts(seccomp.Architectures()),
				KnownFlags: texts(seccomp.KnownFlags()), SupportedFlags: texts(seccomp.SupportedFlags()),
			},
			Apparmor:        &features.Apparmor{Enabled: is(true)},
			Selinux:         &features.Selinux{Enabled: is(true)},
			IntelRdt:        &features.IntelRdt{Enabled: is(true), Schemata: is(true), Monitoring: is(true)},
			MemoryPolicy:    &features.MemoryPolicy{Modes: words.MemoryModes, Flags: words.MemoryFlags},
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: is(true)}},
			NetDevices:      &features.NetDevices{Enabled: is(true)},
		},
	}
}

// texts are words as the specification has them here.
func texts[T ~string](words []T) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	slices.Sort(list)
	return list
}

func is(v bool) *bool { return &v }
