package bundle

import (
	"reflect"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// TestInherit: attributes that a process does not set are the container's; those that it sets,
// also to an empty value, stay.
func TestInherit(t *testing.T) {
	adj, umask := 300, uint32(0o77)
	first := &specs.Process{
		User: specs.User{UID: 5, Umask: &umask}, Cwd: "/first", Env: []string{"A=b"}, Terminal: true, NoNewPrivileges: true,
		Capabilities: &specs.LinuxCapabilities{Effective: []string{"CAP_KILL"}},
		Rlimits:      []specs.POSIXRlimit{{Type: "RLIMIT_CORE"}}, OOMScoreAdj: &adj,
		Scheduler: &specs.Scheduler{Nice: 3}, IOPriority: &specs.LinuxIOPriority{Priority: 2}, ExecCPUAffinity: &specs.CPUAffinity{Final: "1"},
	}
	want := &specs.Process{
		User: specs.User{UID: 9, Umask: &umask}, Cwd: "/", Capabilities: first.Capabilities, Rlimits: first.Rlimits, OOMScoreAdj: &adj,
		Scheduler: first.Scheduler, IOPriority: first.IOPriority, ExecCPUAffinity: first.ExecCPUAffinity,
	}
	if got := Inherit(&specs.Process{User: specs.User{UID: 9}, Cwd: "/"}, first); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	zero, mask := 0, uint32(0)
	own := &specs.Process{
		User: specs.User{Umask: &mask}, Capabilities: &specs.LinuxCapabilities{}, Rlimits: []specs.POSIXRlimit{}, OOMScoreAdj: &zero,
		Scheduler: &specs.Scheduler{}, IOPriority: &specs.LinuxIOPriority{}, ExecCPUAffinity: &specs.CPUAffinity{},
	}
	if got := Inherit(own, first); !reflect.DeepEqual(got, own) {
		t.Errorf("%+v", got)
	}
}

// TestInheritLabels: a process that sets no label keeps the container's confinement.
func TestInheritLabels(t *testing.T) {
	container := &specs.Process{ApparmorProfile: "profile", SelinuxLabel: "label", Cwd: "/container"}
	for _, c := range []struct{ given, want specs.Process }{
		{specs.Process{Cwd: "/x"}, specs.Process{Cwd: "/x", ApparmorProfile: "profile", SelinuxLabel: "label"}},
		{specs.Process{ApparmorProfile: Unconfined}, specs.Process{ApparmorProfile: Unconfined, SelinuxLabel: "label"}},
		{specs.Process{SelinuxLabel: "own"}, specs.Process{ApparmorProfile: "profile", SelinuxLabel: "own"}},
	} {
		given := c.given
		got := Inherit(&given, container)
		if got.ApparmorProfile != c.want.ApparmorProfile || got.SelinuxLabel != c.want.SelinuxLabel || got.Cwd != c.want.Cwd {
			t.Errorf("%+v: %+v", c.given, got)
		}
		if given.ApparmorProfile != c.given.ApparmorProfile || given.SelinuxLabel != c.given.SelinuxLabel {
			t.Error("the process that was given has changed")
		}
	}
	alone := &specs.Process{}
	if Inherit(alone, nil) != alone {
		t.Error("a container without a process changes another one")
	}
}
