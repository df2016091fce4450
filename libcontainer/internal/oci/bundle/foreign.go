package bundle

import specs "github.com/opencontainers/runtime-spec/specs-go"

// foreignSection is a part of the configuration that is for another platform.
type foreignSection struct {
	pointer, platform string
	used              bool
}

// foreignSections lists the parts that have no meaning on Linux.
func foreignSections(s *specs.Spec) []foreignSection {
	p := s.Process
	if p == nil {
		p = &specs.Process{}
	}
	return []foreignSection{
		{"windows", "Windows", s.Windows != nil},
		{"solaris", "Solaris", s.Solaris != nil},
		{"vm", "virtual machines", s.VM != nil},
		{"zos", "z/OS", s.ZOS != nil},
		{"freebsd", "FreeBSD", s.FreeBSD != nil},
		{"process.commandLine", "Windows", p.CommandLine != ""},
		{"process.user.username", "Windows", p.User.Username != ""},
	}
}

// foreign warns of properties that have no effect here.
func (v *validator) foreign() {
	for _, section := range foreignSections(v.spec) {
		if section.used {
			v.warnProperty(section.pointer, "is for %s and has no effect here", section.platform)
		}
	}
}
