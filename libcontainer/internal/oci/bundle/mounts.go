package bundle

import (
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci"
)

func (v *validator) mounts() {
	for i, m := range v.spec.Mounts {
		p := fmt.Sprintf("mounts[%d]", i)
		switch {
		case m.Destination == "":
			v.badProperty(p+".destination", "is missing or empty")
			continue
		case !path.IsAbs(m.Destination):
			v.warn(p+".destination", "%q is not absolute; it is taken as %q", m.Destination, path.Clean("/"+m.Destination))
		}
		v.pathLength(p+".destination", m.Destination)
		if path.Clean("/"+m.Destination) == "/" {
			v.bad(p+".destination", "a mount on the root of the container is not possible")
		}
		if strings.ContainsRune(m.Destination, 0) || strings.ContainsRune(m.Source, 0) {
			v.badProperty(p, "has a NUL character in it")
		}
		o, err := ParseMountOptions(m)
		if err != nil {
			v.bad(p+".options", "%v", err)
			continue
		}
		for _, idle := range o.Idle {
			v.warn(p+".options", "%q is an option of a file system, and has no effect on a bind mount", idle)
		}
		v.mountKind(p, m, o)
		v.mountIDMap(p, m, o)
		if err := checkProcDestination(m, o); err != nil {
			v.bad(p+".destination", "%v", err)
		}
	}
}

// mountKind checks that type and source are present where they are needed.
func (v *validator) mountKind(p string, m specs.Mount, o MountOptions) {
	switch {
	case o.Remount:
	case o.Bind:
		if m.Source == "" {
			v.badProperty(p+".source", "is missing; a bind mount needs one")
		}
	case m.Type == "":
		v.badProperty(p+".type", "is missing; only bind mounts have none")
	case m.Type == "none":
		v.bad(p+".type", `"none" is not a file system; a bind mount needs "bind" or "rbind" in options`)
	case strings.ContainsRune(m.Type, 0):
		v.badProperty(p+".type", "has a NUL character in it")
	}
}

// mountIDMap checks the id mapping of a mount.
func (v *validator) mountIDMap(p string, m specs.Mount, o MountOptions) {
	v.idMap(p+".uidMappings", m.UIDMappings)
	v.idMap(p+".gidMappings", m.GIDMappings)
	if _, _, err := MountIDMaps(v.spec, m, &o); err != nil {
		v.bad(p+".options", "%v", err)
	}
	switch uids, gids := len(m.UIDMappings), len(m.GIDMappings); {
	case uids == 0 && gids > 0:
		v.badProperty(p+".uidMappings", "is missing; it is needed along with gidMappings")
	case gids == 0 && uids > 0:
		v.badProperty(p+".gidMappings", "is missing; it is needed along with uidMappings")
	case o.IDMap == NoIDMap:
	case !o.Bind && oci.Namespace(v.spec, specs.UserNamespace) != nil:
		v.bad(p+".options", "a new file system in a user namespace cannot have a mapping of ids, only bind mounts can")
	case uids > 0 && o.IDs != nil:
		v.warn(p+".options", "the mapping idmap=%s has no effect, for there are uidMappings and gidMappings", o.IDs.text)
	case uids == 0 && o.IDs == nil && oci.Namespace(v.spec, specs.UserNamespace) == nil:
		v.bad(p+".options", "a mapping of ids needs uidMappings and gidMappings, or a user namespace in linux.namespaces")
	case uids > 0 && !slices.Contains(m.Options, "idmap") && !slices.Contains(m.Options, "ridmap"):
		v.warnProperty(p+".options", `has neither "idmap" nor "ridmap"; uidMappings and gidMappings are taken as "idmap"`)
	}
}

// procFiles may be mount points although they are in /proc: they are only informational, and
// lxcfs and similar tools replace them.
var procFiles = []string{
	"/proc/cpuinfo", "/proc/diskstats", "/proc/loadavg", "/proc/meminfo", "/proc/slabinfo", "/proc/stat",
	"/proc/swaps", "/proc/uptime", "/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled",
}

// AllowedInProc reports whether a mount may be made at a cleaned path in /proc.
func AllowedInProc(destination string) bool {
	return slices.Contains(procFiles, destination)
}

// checkProcDestination refuses to mount over /proc or parts of it: the runtime writes labels,
// sysctls etc. there, and must not write them to a file of the image.
func checkProcDestination(m specs.Mount, o MountOptions) error {
	d := path.Clean("/" + m.Destination)
	if o.CopySymlink && strings.HasPrefix(d+"/", "/proc/") {
		return fmt.Errorf("%q cannot be a copy of a symbolic link", d)
	}
	if d != "/proc" && !strings.HasPrefix(d, "/proc/") || AllowedInProc(d) {
		return nil
	}
	if d == "/proc" && (m.Type == "proc" || o.Bind || o.Remount) {
		// Whether the source of a bind mount is a procfs is known only after it is opened.
		return nil
	}
	return fmt.Errorf("%q cannot be covered by a mount; in /proc only these can: %s", d, strings.Join(procFiles, ", "))
}
