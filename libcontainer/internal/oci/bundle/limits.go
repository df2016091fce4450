package bundle

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// capabilityNames has the capabilities of Linux, indexed by number.
var capabilityNames = []string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
	"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
	"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
	"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
	"CHECKPOINT_RESTORE",
}

// Capability returns the number of a capability from its name in the specification, such as
// CAP_NET_ADMIN.
func Capability(name string) (number int, ok bool) {
	short, ok := strings.CutPrefix(name, "CAP_")
	if !ok {
		return 0, false
	}
	number = slices.Index(capabilityNames, short)
	return number, number >= 0
}

// CapabilityMask returns the named capabilities as a bit mask. Unknown names are left out
// (config.md#linux-process).
func CapabilityMask(names []string) (mask uint64) {
	for _, name := range names {
		if n, ok := Capability(name); ok {
			mask |= 1 << n
		}
	}
	return mask
}

// Capabilities holds the five sets as bit masks. A process without capabilities
// in its configuration has none.
type Capabilities struct {
	Bounding, Effective, Inheritable, Permitted, Ambient uint64
}

// CapabilitiesOf returns the sets of a process.
func CapabilitiesOf(c *specs.LinuxCapabilities) Capabilities {
	if c == nil {
		return Capabilities{}
	}
	return Capabilities{
		Bounding:    CapabilityMask(c.Bounding),
		Effective:   CapabilityMask(c.Effective),
		Inheritable: CapabilityMask(c.Inheritable),
		Permitted:   CapabilityMask(c.Permitted),
		Ambient:     CapabilityMask(c.Ambient),
	}
}

// rlimitNames has the names of the specification, which are those of getrlimit(2).
var rlimitNames = []struct {
	name   string
	number int
}{
	{"RLIMIT_AS", unix.RLIMIT_AS},
	{"RLIMIT_CORE", unix.RLIMIT_CORE},
	{"RLIMIT_CPU", unix.RLIMIT_CPU},
	{"RLIMIT_DATA", unix.RLIMIT_DATA},
	{"RLIMIT_FSIZE", unix.RLIMIT_FSIZE},
	{"RLIMIT_LOCKS", unix.RLIMIT_LOCKS},
	{"RLIMIT_MEMLOCK", unix.RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", unix.RLIMIT_MSGQUEUE},
	{"RLIMIT_NICE", unix.RLIMIT_NICE},
	{"RLIMIT_NOFILE", unix.RLIMIT_NOFILE},
	{"RLIMIT_NPROC", unix.RLIMIT_NPROC},
	{"RLIMIT_RSS", unix.RLIMIT_RSS},
	{"RLIMIT_RTPRIO", unix.RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", unix.RLIMIT_RTTIME},
	{"RLIMIT_SIGPENDING", unix.RLIMIT_SIGPENDING},
	{"RLIMIT_STACK", unix.RLIMIT_STACK},
}

// Rlimit returns the number of a resource limit.
func Rlimit(name string) (number int, ok bool) {
	for _, l := range rlimitNames {
		if l.name == name {
			return l.number, true
		}
	}
	return 0, false
}

// HasCapabilities reports whether a set has all the given capabilities (unix.CAP_*).
func HasCapabilities(set uint64, capabilities ...int) bool {
	for _, c := range capabilities {
		if set&(1<<c) == 0 {
			return false
		}
	}
	return true
}

// CapabilityNames returns the names of a set's capabilities.
func CapabilityNames(set uint64) string {
	var names []string
	for n, name := range capabilityNames {
		if set&(1<<n) != 0 {
			names = append(names, "CAP_"+name)
		}
	}
	return strings.Join(names, ", ")
}
