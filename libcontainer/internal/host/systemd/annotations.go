package systemd

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// allowed are the properties that annotations may set, with their types. Annotations can come
// from an image. So the list has no property that makes systemd start, stop or run something
// else, moves the container to another slice, or raises its limits. A property that ends with
// "…USec" may also be written with "…Sec".
var allowed = oci.Table[string, string]{
	// Ordering and termination.
	{"After", "as"}, {"Before", "as"}, {"PartOf", "as"}, {"CollectMode", "s"}, {"Description", "s"}, {"DefaultDependencies", "b"},
	{"TimeoutStopUSec", "t"}, {"RuntimeMaxUSec", "t"}, {"RuntimeRandomizedExtraUSec", "t"},
	{"KillMode", "s"}, {"KillSignal", "i"}, {"FinalKillSignal", "i"}, {"SendSIGHUP", "b"}, {"SendSIGKILL", "b"},
	// What happens when memory is short.
	{"OOMPolicy", "s"}, {"ManagedOOMSwap", "s"}, {"ManagedOOMMemoryPressure", "s"}, {"ManagedOOMMemoryPressureLimit", "u"}, {"ManagedOOMPreference", "s"},
	// Limits and accounting: a subset of linux.resources.
	{"CPUWeight", "t"}, {"StartupCPUWeight", "t"}, {"IOWeight", "t"}, {"StartupIOWeight", "t"},
	{"MemoryHigh", "t"}, {"IPAccounting", "b"}, {"IOAccounting", "b"}, {"CPUAccounting", "b"}, {"MemoryAccounting", "b"}, {"TasksAccounting", "b"},
}

// Annotations returns the unit properties that annotations of a configuration set. The values
// have the text format of GVariant, such as 'text', uint64 5, ['a.service'].
func Annotations(s *specs.Spec) (properties []Property, problems []bundle.Problem) {
	asked := bundle.SystemdProperty.All(s)
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		p, err := property(name, asked[name])
		if err != nil {
			problems = append(problems, bundle.Problem{Property: bundle.SystemdProperty.Property(name), Text: err.Error()})
		}
		properties = append(properties, p)
	}
	return properties, problems
}

func property(name, value string) (Property, error) {
	kind, ok := allowed.Find(name)
	seconds := false
	if base, isSec := strings.CutSuffix(name, "Sec"); !ok && isSec {
		// TimeoutStopSec= in a unit file is TimeoutStopUSec on D-Bus.
		name, seconds = base+"USec", true
		kind, ok = allowed.Find(name)
	}
	if !ok {
		return Property{}, fmt.Errorf("this property of a unit cannot be set by an annotation; these can: %s", allowed)
	}
	var v any
	var err error
	if seconds {
		v, err = parseSeconds(value)
	} else {
		v, err = parseVariant(value, kind)
	}
	return Property{Name: name, Value: v}, err
}
