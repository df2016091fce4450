package systemd

import (
	"fmt"
	"slices"
	"strings"
)

// AnnotationPrefix begins the annotations that set properties of the unit.
const AnnotationPrefix = "org.systemd.property."

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

// Annotations makes properties of the annotations that are meant to be such. The values
// have the text format of GVariant, such as 'text', uint64 5, ['a.service'].
func Annotations(annotations map[string]string) ([]Property, error) {
	var names []string
	for name := range annotations {
		if strings.HasPrefix(name, AnnotationPrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []Property
	for _, name := range names {
		p, err := property(strings.TrimPrefix(name, AnnotationPrefix), annotations[name])
		if err != nil {
			return nil, fmt.Errorf("annotations[%q]: %w", name, err)
		}
		out = append(out, p)
	}
	return out, nil
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
