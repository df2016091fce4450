package bundle

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// TestLabels: a label that the kernel would read as another one is refused, and the problem names
// the property.
func TestLabels(t *testing.T) {
	for label, ok := range map[string]bool{
		"": true, "docker-default": true, "unconfined": true, "unconfined_foo": true, "a b//&:ns:c": true, "u:r:t:s0:c1,c2": true,
		" unconfined": false, "unconfined ": false, "unconfined\n": false, "a\x00b": false, "a\tb": false, " ": false,
		strings.Repeat("x", maxLabel): true, strings.Repeat("x", maxLabel+1): false,
	} {
		for pointer, set := range map[string]func(*specs.Spec){
			"process.apparmorProfile": func(s *specs.Spec) { s.Process.ApparmorProfile = label },
			"process.selinuxLabel":    func(s *specs.Spec) { s.Process.SelinuxLabel = label },
			"linux.mountLabel":        func(s *specs.Spec) { s.Linux.MountLabel = label },
		} {
			s := Default()
			set(s)
			problems, _ := Validate(s)
			if refused := len(problems) == 1 && problems[0].Property == pointer; refused == ok || len(problems) > 1 {
				t.Errorf("%s = %.20q: %v", pointer, label, problems)
			}
		}
	}
}

// TestQuotedLabels: options in the style of mount(8) have quotes around labels with commas.
func TestQuotedLabels(t *testing.T) {
	o, err := ParseMountOptions(specs.Mount{Type: "tmpfs", Options: []string{`context="u:r:t:s0:c1,c2"`, `rootcontext=u:r:t:s0`, `other="x"`}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"context=u:r:t:s0:c1,c2", "rootcontext=u:r:t:s0", `other="x"`}
	for i, p := range o.Params {
		if p.String() != want[i] {
			t.Errorf("%s, want %s", p, want[i])
		}
	}
}
