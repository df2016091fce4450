package bundle

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci"
)

// ipcSysctls belong to the IPC namespace, besides all of fs.mqueue.
var ipcSysctls = []string{
	"kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall", "kernel/shmmax", "kernel/shmmni",
	"kernel/shm_rmid_forced",
}

// SysctlPath turns the name of a kernel parameter into its path below /proc/sys. It accepts both
// spellings of sysctl.d(5): the first dot or slash is the separator, and the other character is
// part of a name.
func SysctlPath(key string) (string, error) {
	path := key
	if i := strings.IndexAny(key, "./"); i >= 0 && key[i] == '.' {
		path = strings.Map(func(r rune) rune {
			switch r {
			case '.':
				return '/'
			case '/':
				return '.'
			}
			return r
		}, key)
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "\x00\n\r\t ") {
			return "", fmt.Errorf("%q is not the name of a kernel parameter", key)
		}
	}
	return path, nil
}

// SysctlNamespace returns the type of namespace that a parameter belongs to. It is an error when
// the parameter applies to the whole system, which a container must not change.
func SysctlNamespace(path string) (specs.LinuxNamespaceType, error) {
	switch {
	case slices.Contains(ipcSysctls, path), strings.HasPrefix(path, "fs/mqueue/"):
		return specs.IPCNamespace, nil
	case strings.HasPrefix(path, "net/"):
		return specs.NetworkNamespace, nil
	case path == "kernel/domainname":
		return specs.UTSNamespace, nil
	case path == "kernel/hostname":
		return "", fmt.Errorf("use the property hostname")
	case strings.HasPrefix(path, "user/"):
		return specs.UserNamespace, nil
	}
	return "", fmt.Errorf("it is a parameter of the whole system")
}

// SysctlKeys returns the keys of linux.sysctl in the order in which they are set.
func SysctlKeys(s *specs.Spec) []string {
	return slices.Sorted(maps.Keys(s.Linux.Sysctl))
}

func (v *validator) sysctl() {
	seen := make(map[string]string)
	for _, key := range SysctlKeys(v.spec) {
		p := fmt.Sprintf("linux.sysctl[%q]", key)
		path, err := SysctlPath(key)
		if err != nil {
			v.bad("linux.sysctl", "%v", err)
			continue
		}
		if other, dup := seen[path]; dup {
			v.badProperty(p, "is the same parameter as %q", other)
		}
		seen[path] = key
		ns, err := SysctlNamespace(path)
		switch {
		case err != nil:
			v.bad(p, "cannot be set for a container: %v", err)
		case path == "kernel/domainname" && v.spec.Domainname != "":
			v.bad(p, "contradicts the property domainname, which sets the same")
		case oci.Namespace(v.spec, ns) == nil:
			v.badProperty(p, "needs a %s namespace in linux.namespaces; it would change the host", ns)
		}
		if strings.ContainsRune(v.spec.Linux.Sysctl[key], 0) {
			v.badProperty(p, "has a NUL character in its value")
		}
	}
}
