package libcontainer

import (
	"reflect"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestAddCapabilities(t *testing.T) {
	c := (&Runtime{}).Container("x")
	old := &specs.LinuxCapabilities{
		Bounding: []string{"CAP_KILL"}, Effective: []string{"CAP_KILL"}, Permitted: []string{"CAP_KILL"},
		Inheritable: []string{"CAP_CHOWN"}, Ambient: []string{"CAP_CHOWN"},
	}
	p := &specs.Process{Capabilities: old}
	c.AddCapabilities(p, []string{"CAP_NET_RAW"})
	both := []string{"CAP_KILL", "CAP_NET_RAW"}
	want := &specs.LinuxCapabilities{
		Bounding: both, Effective: both, Permitted: both,
		Inheritable: []string{"CAP_CHOWN"}, Ambient: []string{"CAP_CHOWN"},
	}
	if !reflect.DeepEqual(p.Capabilities, want) {
		t.Errorf("got %+v", p.Capabilities)
	}
	if len(old.Bounding) != 1 {
		t.Error("the sets of the container are changed")
	}

	p = &specs.Process{}
	c.AddCapabilities(p, []string{"CAP_NET_RAW"})
	one := []string{"CAP_NET_RAW"}
	if want := (&specs.LinuxCapabilities{Bounding: one, Effective: one, Permitted: one}); !reflect.DeepEqual(p.Capabilities, want) {
		t.Errorf("got %+v", p.Capabilities)
	}

	// A capability that is inheritable already becomes ambient, too.
	p = &specs.Process{Capabilities: &specs.LinuxCapabilities{Inheritable: []string{"CAP_NET_RAW"}}}
	c.AddCapabilities(p, []string{"CAP_NET_RAW", "CAP_KILL"})
	two := []string{"CAP_NET_RAW", "CAP_KILL"}
	want = &specs.LinuxCapabilities{Bounding: two, Effective: two, Permitted: two, Inheritable: one, Ambient: one}
	if !reflect.DeepEqual(p.Capabilities, want) {
		t.Errorf("got %+v", p.Capabilities)
	}
}
