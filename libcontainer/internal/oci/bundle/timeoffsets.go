package bundle

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci"
)

// clocks are the clocks that a time namespace has offsets for (time_namespaces(7)).
var clocks = []string{"boottime", "monotonic"}

const nanosPerSecond = 1_000_000_000

// timeOffsets checks linux.timeOffsets. Only the kernel knows which offsets the clocks of the
// host allow.
func (v *validator) timeOffsets() {
	offsets := v.spec.Linux.TimeOffsets
	if len(offsets) == 0 {
		return
	}
	const pointer = "linux.timeOffsets"
	switch ns := oci.Namespace(v.spec, specs.TimeNamespace); {
	case ns == nil:
		v.badProperty(pointer, "needs a time namespace in linux.namespaces")
	case ns.Path != "":
		v.badProperty(pointer, "needs a new time namespace; that in %s has its offsets already", ns.Path)
	}
	for _, clock := range slices.Sorted(maps.Keys(offsets)) {
		if !slices.Contains(clocks, clock) {
			v.bad(pointer+"."+clock, "%q is not one of %s", clock, strings.Join(clocks, ", "))
		}
		if n := offsets[clock].Nanosecs; n >= nanosPerSecond {
			v.bad(pointer+"."+clock+".nanosecs", "%d is not below a second (0 to %d)", n, nanosPerSecond-1)
		}
	}
}

// TimeOffsets returns linux.timeOffsets in the format of /proc/PID/timens_offsets, a line for
// each clock.
func TimeOffsets(offsets map[string]specs.LinuxTimeOffset) string {
	var b strings.Builder
	for _, clock := range slices.Sorted(maps.Keys(offsets)) {
		fmt.Fprintf(&b, "%s %d %d\n", clock, offsets[clock].Secs, offsets[clock].Nanosecs)
	}
	return b.String()
}
