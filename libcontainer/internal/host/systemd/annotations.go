package systemd

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci/bundle"
)

// allowed are the properties that annotations may set, with their types. Annotations
// can come from an image. So none is among them that makes systemd start, stop or
// run something else, that moves the container to another slice, or that widens what
// it may use. "…Sec" may be used for each that ends with "…USec".
var allowed = map[string]string{
	// Order and end.
	"After": "as", "Before": "as", "PartOf": "as", "CollectMode": "s", "Description": "s", "DefaultDependencies": "b",
	"TimeoutStopUSec": "t", "RuntimeMaxUSec": "t", "RuntimeRandomizedExtraUSec": "t",
	"KillMode": "s", "KillSignal": "i", "FinalKillSignal": "i", "SendSIGHUP": "b", "SendSIGKILL": "b",
	// What happens when memory is short.
	"OOMPolicy": "s", "ManagedOOMSwap": "s", "ManagedOOMMemoryPressure": "s", "ManagedOOMMemoryPressureLimit": "u", "ManagedOOMPreference": "s",
	// Less than what linux.resources can say.
	"CPUWeight": "t", "StartupCPUWeight": "t", "IOWeight": "t", "StartupIOWeight": "t",
	"MemoryHigh": "t", "IPAccounting": "b", "IOAccounting": "b", "CPUAccounting": "b", "MemoryAccounting": "b", "TasksAccounting": "b",
}

// Annotations makes properties of the annotations of a configuration that are meant to be
// such. The values have the text format of GVariant, such as 'text', uint64 5, ['a.service'].
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
	kind, ok := allowed[name]
	seconds := false
	if base, isSec := strings.CutSuffix(name, "Sec"); !ok && isSec {
		// Where a unit file has TimeoutStopSec=, D-Bus has TimeoutStopUSec.
		name, seconds = base+"USec", true
		kind, ok = allowed[name]
	}
	if !ok {
		known := make([]string, 0, len(allowed))
		for n := range allowed {
			known = append(known, n)
		}
		slices.Sort(known)
		return Property{}, fmt.Errorf("this property of a unit cannot be set by an annotation; these can: %s", strings.Join(known, ", "))
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
