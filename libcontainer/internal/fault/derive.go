package fault

import (
	"strings"
	"syscall"
)

// byProperty are the codes of failures about a property that have no other. The first entry
// that the property is, or lies below, counts.
func byProperty() []struct {
	property string
	code     Code
} {
	return []struct {
		property string
		code     Code
	}{
		{"mounts", MountFailed},
		{"linux.rootfsPropagation", MountFailed},
		{"linux.maskedPaths", MountFailed},
		{"linux.readonlyPaths", MountFailed},
		{"root", RootfsFailed},
		{"linux.devices", DeviceFailed},
		{"linux.namespaces", NamespaceFailed},
		{"linux.timeOffsets", NamespaceFailed},
		{"linux.uidMappings", IDMappingFailed},
		{"linux.gidMappings", IDMappingFailed},
		{"linux.cgroupsPath", CgroupFailed},
		{"linux.resources", CgroupFailed},
		{"linux.intelRdt", RdtFailed},
		{"linux.netDevices", NetDeviceFailed},
		{"linux.sysctl", SysctlFailed},
		{"linux.seccomp", SeccompFailed},
		{"linux.mountLabel", LabelFailed},
		{"process.apparmorProfile", LabelFailed},
		{"process.selinuxLabel", LabelFailed},
		{"hooks", HookFailed},
		{"process.cwd", CwdFailed},
		{"process", ProcessFailed},
	}
}

// code is the code for other facts.
func (f *Facts) code() Code {
	switch {
	case within(f.Property, "process.args"):
		// What execve(2) misses is not the command, which was found.
		if f.Errno == syscall.ENOENT && f.Op != "execve" {
			return CommandNotFound
		}
		return CommandNotExecutable
	case f.Errno == syscall.ENOENT && f.HostPath != "" && within(f.Property, "mounts"):
		return MountSourceMissing
	case f.Errno == syscall.EMFILE:
		return OpenFilesExhausted
	case f.Errno == syscall.EDQUOT && f.Op == "keyctl":
		return KeysExhausted
	}
	for _, e := range byProperty() {
		if within(f.Property, e.property) {
			return e.code
		}
	}
	switch f.Errno {
	case syscall.EPERM, syscall.EACCES:
		return NotPermitted
	case syscall.ENOMEM:
		return MemoryExhausted
	}
	return Failed
}

// within reports whether a property is another one, or lies below it.
func within(property, outer string) bool {
	rest, ok := strings.CutPrefix(property, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
