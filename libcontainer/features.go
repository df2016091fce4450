package libcontainer

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"

	"coracle/libcontainer/bundle"
	"coracle/libcontainer/seccomp"
)

// Features is what this version supports, whatever the host can do (features.md); only the
// flags of seccomp that are supported are those of the kernel, as is demanded. It is taken from the tables and checks that containers are made with: what is refused in a
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
				Enabled: linux(specs.Linux{Seccomp: &specs.LinuxSeccomp{}}),
				Actions: texts(seccomp.Actions()), Operators: texts(seccomp.Operators()), Archs: texts(seccomp.Architectures()),
				KnownFlags: texts(seccomp.KnownFlags()), SupportedFlags: texts(seccomp.SupportedFlags()),
			},
			Apparmor: &features.Apparmor{Enabled: is(bundle.Supported(&specs.Spec{Process: &specs.Process{ApparmorProfile: "x"}}))},
			Selinux: &features.Selinux{Enabled: is(bundle.Supported(&specs.Spec{
				Process: &specs.Process{SelinuxLabel: "x"}, Linux: &specs.Linux{MountLabel: "x"},
			}))},
			IntelRdt: &features.IntelRdt{
				Enabled:    linux(specs.Linux{IntelRdt: &specs.LinuxIntelRdt{}}),
				Schemata:   linux(specs.Linux{IntelRdt: &specs.LinuxIntelRdt{Schemata: []string{"x"}}}),
				Monitoring: linux(specs.Linux{IntelRdt: &specs.LinuxIntelRdt{EnableMonitoring: true}}),
			},
			MemoryPolicy: &features.MemoryPolicy{Modes: words.MemoryModes, Flags: words.MemoryFlags},
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: is(bundle.Supported(&specs.Spec{
				Linux: &specs.Linux{}, Mounts: []specs.Mount{{UIDMappings: []specs.LinuxIDMapping{{}}, GIDMappings: []specs.LinuxIDMapping{{}}}},
			}))}},
			NetDevices: &features.NetDevices{Enabled: linux(specs.Linux{NetDevices: map[string]specs.LinuxNetDevice{"x": {}}})},
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

// linux tells whether a use of linux properties is supported.
func linux(l specs.Linux) *bool { return is(bundle.Supported(&specs.Spec{Linux: &l})) }
