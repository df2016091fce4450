package systemd

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// allowed are the properties that annotations may set, with their types. Annotations can come
// from an image. So the list has no property that makes systemd start, stop or run something
// else, moves the container to another slice, or says something that linux.resources can say:
// the container would have other limits than those when systemd is reloaded. A property that
// ends with "…USec" may also be written with "…Sec".
var allowed = oci.Table[string, string]{
	// Ordering and termination.
	{"After", "as"}, {"Before", "as"}, {"PartOf", "as"}, {"CollectMode", "s"}, {"Description", "s"}, {"DefaultDependencies", "b"},
	{"TimeoutStopUSec", "t"}, {"RuntimeMaxUSec", "t"}, {"RuntimeRandomizedExtraUSec", "t"},
	{"KillMode", "s"}, {"KillSignal", "i"}, {"FinalKillSignal", "i"}, {"SendSIGHUP", "b"}, {"SendSIGKILL", "b"},
	// What happens when memory is short.
	{"OOMPolicy", "s"}, {"ManagedOOMSwap", "s"}, {"ManagedOOMMemoryPressure", "s"}, {"ManagedOOMMemoryPressureLimit", "u"}, {"ManagedOOMPreference", "s"},
	// Accounting.
	{"IPAccounting", "b"}, {"IOAccounting", "b"}, {"CPUAccounting", "b"}, {"MemoryAccounting", "b"}, {"TasksAccounting", "b"},
}

// longestStop is how long a container may take to end before systemd kills it, in microseconds.
const longestStop = 30 * 24 * 3600 * 1000 * 1000

// ends checks that systemd can still end the unit: some properties have values with which it
// asks the processes of a container and leaves it to them.
func (p Property) ends() error {
	var ok bool
	var want string
	switch p.Name {
	case "SendSIGKILL":
		ok, want = p.Value == true, "true"
	case "FinalKillSignal":
		ok, want = p.Value == int32(unix.SIGKILL), "9"
	case "KillMode":
		ok, want = p.Value == "control-group" || p.Value == "mixed", "'control-group' or 'mixed'"
	case "TimeoutStopUSec":
		t, _ := p.Value.(uint64)
		ok, want = t <= longestStop, "30 days at most"
	default:
		return nil
	}
	if !ok {
		return fmt.Errorf("with this value systemd could not end the container; want %s", want)
	}
	return nil
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
	p := Property{Name: name, Value: v}
	if err == nil {
		err = p.ends()
	}
	return p, err
}
