package cgroup

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/host/systemd"
	"coracle/libcontainer/internal/oci/bundle"
)

func texts(problems []bundle.Problem) (texts []string) {
	for _, p := range problems {
		texts = append(texts, p.Sentence())
	}
	return texts
}

// Check returns everything in a configuration that [New] would refuse for a driver, and warnings
// about properties without effect. The result depends on the host only by its cgroup version.
// Check has no side effects.
func Check(s *specs.Spec, driver Driver) (problems, warnings []bundle.Problem) {
	if driver == "" {
		driver = Cgroupfs
	}
	m := &Manager{saved: Saved{Driver: driver, Unified: isUnified()}, lock: -1}
	if s.Linux != nil && s.Linux.CgroupsPath != "" {
		problems = append(problems, m.checkPlace(s.Linux.CgroupsPath)...)
	}
	if driver == Systemd {
		_, wrong := systemd.Annotations(s)
		problems = append(problems, wrong...)
	}
	if s.Linux == nil || s.Linux.Resources == nil {
		return problems, nil
	}
	// Without /proc/self/cgroup the hierarchies of controllers are unknown.
	m.saved.Paths, _ = paths(m.saved.Unified, "/coracle-check")
	p := m.newPlan()
	p.fresh, p.current = true, func(_, _ string) string { return "" }
	p.resources(s.Linux.Resources)
	problems, warnings = append(problems, p.problems...), p.warnings
	if driver == Disabled {
		if name := p.limited(nil, true); name != "" {
			problems = append(problems, bundle.Problem{Property: name, Text: noLimits})
		}
		return problems, warnings
	}
	if !m.saved.Unified {
		if _, err := listOf(deviceRules(s.Linux.Resources.Devices)); err != nil {
			problems = append(problems, bundle.Problem{Property: resourcesPointer + ".devices", Text: err.Error()})
		}
	}
	return problems, warnings
}

// Applies reports whether limits are supported on cgroup v2 or v1, that is, whether they are
// translated into files.
func Applies(r *specs.LinuxResources, v2 bool) bool {
	p := plan{v2: v2, fresh: true, unified: func(string) bool { return v2 }, current: func(_, _ string) string { return "" }}
	p.resources(r)
	return p.err == nil && len(p.settings) > 0
}

// checkPlace checks linux.cgroupsPath for the driver.
func (m *Manager) checkPlace(path string) []bundle.Problem {
	var err error
	switch m.saved.Driver {
	case Cgroupfs:
		err = checkPath(path)
	case Systemd:
		// The default slice makes no difference here.
		_, err = systemd.ParsePath(path, "id", false)
	}
	if err == nil {
		return nil
	}
	return []bundle.Problem{{Property: "linux.cgroupsPath", Text: err.Error()}}
}
