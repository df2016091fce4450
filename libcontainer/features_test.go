package libcontainer

import (
	"encoding/json"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/host/systemd"
	"coracle/libcontainer/internal/oci/bundle"
)

// TestFeaturesHaveEveryAnnotation: every annotation with an effect is in features, and vice
// versa. The lint keeps code from reading annotations that are not in the table.
func TestFeaturesHaveEveryAnnotation(t *testing.T) {
	changes := map[string]func() bool{
		"run.oci.keep_original_groups": func() bool {
			return *interprets(func(s *specs.Spec) { s.Annotations = map[string]string{"run.oci.keep_original_groups": "1"} })
		},
		"run.oci.mount_context_type": func() bool {
			return bundle.ContextType(&specs.Spec{Annotations: map[string]string{"run.oci.mount_context_type": "rootcontext"}}) == "rootcontext"
		},
		"org.systemd.property.": func() bool {
			properties, problems := systemd.Annotations(&specs.Spec{Annotations: map[string]string{"org.systemd.property.CollectMode": "'inactive'"}})
			return len(properties) == 1 && len(problems) == 0
		},
	}
	names := Features().PotentiallyUnsafeConfigAnnotations
	for _, name := range names {
		if changed := changes[name]; changed == nil {
			t.Errorf("%s: say here what it changes", name)
		} else if !changed() {
			t.Errorf("%s changes nothing", name)
		}
	}
	for name := range changes {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not in features", name)
		}
	}
}

// TestFeaturesAreTried: a property that is refused, or changes nothing, is not supported.
func TestFeaturesAreTried(t *testing.T) {
	if *interprets(func(s *specs.Spec) { s.Annotations = map[string]string{"org.example": "x"} }) {
		t.Error("an annotation without a meaning is interpreted")
	}
	if *interprets(func(s *specs.Spec) { s.Process.ApparmorProfile = " x" }) {
		t.Error("a profile that is refused is interpreted")
	}
	data, err := json.Marshal(Features().Linux)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case bool:
			if !v {
				t.Errorf("%s is not supported", path)
			}
		case map[string]any:
			for name, v := range v {
				walk(path+"."+name, v)
			}
		}
	}
	var all any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	walk("linux", all)
}
