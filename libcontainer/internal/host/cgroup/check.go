package cgroup

import specs "github.com/opencontainers/runtime-spec/specs-go"

// Problem is what is wrong with a property of linux.resources, or has no effect.
type Problem struct {
	// Pointer names the property, like linux.resources.cpu.quota.
	Pointer string
	Text    string
}

func (p Problem) Error() string { return p.Pointer + ": " + p.Text }

func texts(problems []Problem) (texts []string) {
	for _, p := range problems {
		texts = append(texts, p.Error())
	}
	return texts
}

// Check finds what [New] would refuse in linux.resources on this host, whose version of
// cgroups matters, and what would have no effect. It has no side effects.
func Check(s *specs.Spec) (problems, warnings []Problem) {
	if s.Linux == nil || s.Linux.Resources == nil {
		return nil, nil
	}
	m := &Manager{lock: -1}
	m.saved.Unified = isUnified()
	// Without /proc/self/cgroup no controller is known to be anywhere.
	m.saved.Paths, _ = paths(m.saved.Unified, "/coracle-check")
	p := m.newPlan()
	p.fresh, p.current = true, func(_, _ string) string { return "" }
	p.resources(s.Linux.Resources)
	if !m.saved.Unified {
		if _, err := listOf(deviceRules(s.Linux.Resources.Devices)); err != nil {
			p.problems = append(p.problems, Problem{resourcesPointer + ".devices", err.Error()})
		}
	}
	return p.problems, p.warnings
}
