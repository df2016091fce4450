package bundle

// unsupported finds what the specification defines and this version does not do.
// To ignore it silently could leave a container less confined than its
// configuration says.
func (v *validator) unsupported() {
	s := v.spec
	check := func(used bool, pointer string) {
		if used {
			v.bad(pointer, "is not supported by this version of coracle")
		}
	}
	if p := s.Process; p != nil {
		check(p.ApparmorProfile != "", "process.apparmorProfile")
		check(p.SelinuxLabel != "", "process.selinuxLabel")
	}
	l := s.Linux
	if l == nil {
		return
	}
	check(l.MountLabel != "", "linux.mountLabel")
}
