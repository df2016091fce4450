package fault

import (
	"strings"
	"syscall"
)

// byProperty returns the codes of failures about a property without a code of their own. The
// first entry that matches the property or a parent of it counts.
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

// code derives the code from other facts.
func (f *Facts) code() Code {
	switch {
	case within(f.Property, "process.args"):
		// With execve(2) it is not the command that is missing, because it was found before.
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

// within reports whether property is outer or lies below it.
func within(property, outer string) bool {
	rest, ok := strings.CutPrefix(property, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
