package oci

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestNamespaces(t *testing.T) {
	s := &specs.Spec{Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.TimeNamespace, Path: "/p"}}}}
	if !HasNew(s, specs.PIDNamespace) || HasNew(s, specs.TimeNamespace) || HasNew(s, specs.UserNamespace) || HasNew(&specs.Spec{}, specs.PIDNamespace) {
		t.Error("new namespaces are not those without a path")
	}
	if ns := Namespace(s, specs.TimeNamespace); ns == nil || ns.Path != "/p" {
		t.Errorf("%v", ns)
	}
	var all uint64
	for _, typ := range NamespaceTypes() {
		all |= NamespaceFlag(specs.LinuxNamespaceType(typ))
	}
	const want = unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWUSER | unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME
	if all != want || NamespaceFlag("none") != 0 {
		t.Errorf("%#x instead of %#x", all, uint64(want))
	}
}
