package libcontainer

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"

	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/host/rdt"
	"coracle/libcontainer/internal/host/systemd"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/seccomp"
	"coracle/libcontainer/internal/oci/bundle"
)

// Features returns what this version supports, whatever the host can do (features.md). Only the
// supported flags of seccomp are the kernel's, as the specification demands.
//
// It is derived from the tables and checks of create, and by trying: a property is supported if a
// configuration with it is accepted and the property makes a difference.
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
			Cgroup:       cgroupFeatures(),
			Seccomp: &features.Seccomp{
				Enabled: interprets(func(s *specs.Spec) { s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow} }),
				Actions: texts(seccomp.Actions()), Operators: texts(seccomp.Operators()), Archs: texts(seccomp.Architectures()),
				KnownFlags: texts(seccomp.KnownFlags()), SupportedFlags: texts(seccomp.SupportedFlags()),
			},
			Apparmor:        &features.Apparmor{Enabled: interprets(func(s *specs.Spec) { s.Process.ApparmorProfile = "profile" })},
			Selinux:         &features.Selinux{Enabled: interprets(func(s *specs.Spec) { s.Process.SelinuxLabel = "u:r:t:s0" })},
			IntelRdt:        rdtFeatures(),
			MemoryPolicy:    &features.MemoryPolicy{Modes: words.MemoryModes, Flags: words.MemoryFlags},
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: interprets(idMappedMount)}},
			NetDevices:      &features.NetDevices{Enabled: interprets(func(s *specs.Spec) { s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {}} })},
		},
		Annotations:                        map[string]string{"org.opencontainers.runc.checkpoint.enabled": "false"},
		PotentiallyUnsafeConfigAnnotations: bundle.AnnotationNames(),
	}
}

// interprets reports whether a changed default configuration is accepted and compiles to another
// program, on a host that supports everything.
func interprets(change func(*specs.Spec)) *bool {
	compiled := func(s *specs.Spec) (size int, ok bool) {
		if problems, _ := bundle.Validate(s); len(problems) > 0 {
			return 0, false
		}
		out, problems := compile.Check(compile.Input{Bundle: &bundle.Bundle{Path: "/", Rootfs: "/rootfs", Spec: s}, ID: checkID, Host: anyHost()})
		if len(problems) > 0 {
			return 0, false
		}
		return out.Program.Len() + len(out.Sources), true
	}
	before, _ := compiled(bundle.Default())
	changed := bundle.Default()
	change(changed)
	after, ok := compiled(changed)
	return is(ok && after != before)
}

func idMappedMount(s *specs.Spec) {
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}}
	// A new mount would make a difference in any case.
	s.Mounts[1].UIDMappings, s.Mounts[1].GIDMappings = ids, ids
}

// cgroupFeatures returns the drivers, and the versions of cgroups for which limits are translated
// into files.
func cgroupFeatures() *features.Cgroup {
	limit := int64(1)
	limits := &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}
	handles := uint32(1)
	rdma := &specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"mlx5_1": {HcaHandles: &handles}}}
	_, noSystemd := cgroup.ParseDriver(string(cgroup.Systemd))
	_, noUser := systemd.ParsePath("", checkID, true)
	return &features.Cgroup{
		V1: is(cgroup.Applies(limits, false)), V2: is(cgroup.Applies(limits, true)),
		Rdma:    is(cgroup.Applies(rdma, false) && cgroup.Applies(rdma, true)),
		Systemd: is(noSystemd == nil), SystemdUser: is(noSystemd == nil && noUser == nil),
	}
}

// rdtFeatures returns what is supported of linux.intelRdt.
func rdtFeatures() *features.IntelRdt {
	m, err := rdt.New("/", checkID, &specs.LinuxIntelRdt{Schemata: []string{"L3:0=f"}, EnableMonitoring: true})
	if err != nil {
		return &features.IntelRdt{Enabled: is(false)}
	}
	return &features.IntelRdt{Enabled: is(m.Saved().Class != ""), Schemata: is(len(m.Schemata()) > 0), Monitoring: is(m.Saved().Monitor != "")}
}

// texts converts names of the specification to strings.
func texts[T ~string](words []T) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	slices.Sort(list)
	return list
}

func is(v bool) *bool { return &v }
