package libcontainer

import (
	"errors"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
)

// checkLabels refuses labels that no security module would enforce, and labels that the SELinux
// policy does not know. AppArmor has no such query; an unknown profile is an error when it is
// applied.
func checkLabels(s *specs.Spec) error {
	if s.Process != nil && s.Process.SelinuxLabel != "" {
		if err := checkLabel("process.selinuxLabel", s.Process.SelinuxLabel); err != nil {
			return err
		}
	}
	if s.Linux != nil && s.Linux.MountLabel != "" {
		return checkLabel("linux.mountLabel", s.Linux.MountLabel)
	}
	return nil
}

func checkLabel(pointer, label string) error {
	root := selinuxRoot()
	if root == "" {
		return fault.About(pointer, "%s: SELinux is not enabled on this host", pointer)
	}
	// Without access to the policy the error comes when the label is set.
	if err := selinuxKnows(root, label); errors.Is(err, unix.EINVAL) {
		return fault.About(pointer, "%s: the SELinux policy of this host does not know the label %q", pointer, label)
	}
	return nil
}
