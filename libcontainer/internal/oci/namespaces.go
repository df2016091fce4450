// Package oci is the vocabulary of the runtime specification: it translates the specification's
// terms, and has no effect on the host.
package oci

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// namespaceFlags has the clone flag of each namespace type.
var namespaceFlags = []struct {
	Type specs.LinuxNamespaceType
	Flag uint64
}{
	{specs.PIDNamespace, unix.CLONE_NEWPID},
	{specs.NetworkNamespace, unix.CLONE_NEWNET},
	{specs.MountNamespace, unix.CLONE_NEWNS},
	{specs.IPCNamespace, unix.CLONE_NEWIPC},
	{specs.UTSNamespace, unix.CLONE_NEWUTS},
	{specs.UserNamespace, unix.CLONE_NEWUSER},
	{specs.CgroupNamespace, unix.CLONE_NEWCGROUP},
	{specs.TimeNamespace, unix.CLONE_NEWTIME},
}

// NamespaceFlag returns the CLONE_NEW* flag of a namespace type, 0 for an unknown one.
func NamespaceFlag(t specs.LinuxNamespaceType) uint64 {
	for _, f := range namespaceFlags {
		if f.Type == t {
			return f.Flag
		}
	}
	return 0
}

// NamespaceFile returns the name of a namespace type in /proc/PID/ns.
func NamespaceFile(t specs.LinuxNamespaceType) string {
	switch t {
	case specs.NetworkNamespace:
		return "net"
	case specs.MountNamespace:
		return "mnt"
	}
	return string(t)
}

// NamespaceTypes returns the types of namespaces, sorted.
func NamespaceTypes() (types []string) {
	for _, f := range namespaceFlags {
		types = append(types, string(f.Type))
	}
	slices.Sort(types)
	return types
}

// Namespace returns the entry of a namespace type in a configuration, nil when the container
// shares the runtime's namespace.
func Namespace(s *specs.Spec, t specs.LinuxNamespaceType) *specs.LinuxNamespace {
	if s.Linux == nil {
		return nil
	}
	for i := range s.Linux.Namespaces {
		if s.Linux.Namespaces[i].Type == t {
			return &s.Linux.Namespaces[i]
		}
	}
	return nil
}

// HasNew reports whether a container gets a new namespace of a type: it neither shares the
// runtime's nor joins an existing one.
func HasNew(s *specs.Spec, t specs.LinuxNamespaceType) bool {
	ns := Namespace(s, t)
	return ns != nil && ns.Path == ""
}
