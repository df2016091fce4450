package bundle

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci"
)

// maxDeviceName is the maximum length of a network device's name, in bytes (IFNAMSIZ without
// NUL).
const maxDeviceName = 15

// netDevices checks linux.netDevices. Whether the host has the devices, and whether the names are
// free in a namespace that is joined, is known only when they are moved.
func (v *validator) netDevices() {
	devices := v.spec.Linux.NetDevices
	if len(devices) == 0 {
		return
	}
	const pointer = "linux.netDevices"
	if oci.Namespace(v.spec, specs.NetworkNamespace) == nil {
		v.badProperty(pointer, "needs a network namespace in linux.namespaces")
	}
	taken := make(map[string]string)
	for _, host := range slices.Sorted(maps.Keys(devices)) {
		p := fmt.Sprintf("%s[%q]", pointer, host)
		if why := badDeviceName(host); why != "" {
			v.bad(p, "cannot be the name of a network device: %s", why)
			continue
		}
		name := NetDeviceName(host, devices[host])
		if why := badDeviceName(name); why != "" {
			v.bad(p+".name", "%q cannot be the name of a network device: %s", name, why)
			continue
		}
		if strings.Contains(name, "%") {
			if strings.Count(name, "%") != 1 || !strings.Contains(name, "%d") {
				v.bad(p+".name", "%q is no template; it may have a single %%d", name)
			}
			continue // the kernel fills in a number
		}
		if other, ok := taken[name]; ok {
			v.bad(p+".name", "%q is the name of %s[%q] already", name, pointer, other)
		}
		taken[name] = host
	}
}

// NetDeviceName returns the name that a device of the host gets in the container.
func NetDeviceName(host string, d specs.LinuxNetDevice) string {
	if d.Name == "" {
		return host
	}
	return d.Name
}

// badDeviceName returns what is wrong with a name; it is empty for a valid one.
func badDeviceName(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > maxDeviceName:
		return fmt.Sprintf("it has more than %d characters", maxDeviceName)
	case name == "." || name == "..":
		return "it is a directory"
	case strings.ContainsAny(name, "/: \t\n\v\f\r\x00"):
		return "it has a slash, colon, space or NUL in it"
	}
	return ""
}
