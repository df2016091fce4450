package bundle

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// withUsers has a user namespace in which id 0 and the ids 1 to 1000 are mapped with different
// offsets (crun(1), "idmap mount options").
func withUsers() *specs.Spec {
	return &specs.Spec{Linux: &specs.Linux{
		Namespaces:  []specs.LinuxNamespace{{Type: specs.UserNamespace}},
		UIDMappings: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: 1, HostID: 2, Size: 1000}},
		GIDMappings: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100, Size: 1000}},
	}}
}

func TestMountIDMaps(t *testing.T) {
	for option, want := range map[string][2]string{
		"idmap=uids=0-1-10#10-11-10;gids=0-100-10": {"0 1 10\n10 11 10\n", "0 100 10\n"},
		"ridmap=gids=5-6-7;uids=0-0-4294967295":    {"0 0 4294967295\n", "5 6 7\n"},
		"idmap=uids=@1-3-10;gids=@0-0-5":           {"1 4 10\n", "0 100 5\n"},
		"idmap=uids=@5-0-3;gids=@0-999-1":          {"5 0 1\n6 2 2\n", "0 1099 1\n"}, // spans two entries
		"idmap=uids=@0-0-1#1-1-1;gids=0-0-1":       {"0 0 1\n1 1 1\n", "0 0 1\n"},    // "@" applies to one range
	} {
		m := specs.Mount{Options: []string{"bind", option}}
		o, err := ParseMountOptions(m)
		if err != nil {
			t.Errorf("%s: %v", option, err)
			continue
		}
		uids, gids, err := MountIDMaps(withUsers(), m, &o)
		if err != nil || uids.String() != want[0] || gids.String() != want[1] {
			t.Errorf("%s: %q, %q, %v", option, uids.String(), gids.String(), err)
		}
		if recursive := strings.HasPrefix(option, "r"); o.IDMap == NoIDMap || (o.IDMap == IDMapRecursive) != recursive {
			t.Errorf("%s: %v", option, o.IDMap)
		}
	}
	// The properties of the mount come first (config.md).
	m := specs.Mount{Options: []string{"bind", "idmap=uids=0-1-1;gids=0-1-1"}, UIDMappings: withUsers().Linux.UIDMappings[:1], GIDMappings: withUsers().Linux.GIDMappings}
	o, _ := ParseMountOptions(m)
	if uids, gids, err := MountIDMaps(withUsers(), m, &o); err != nil || uids.String() != "0 0 1\n" || gids.String() != "0 100 1000\n" {
		t.Errorf("%v %v %v", uids, gids, err)
	}
}

func TestMountIDMapsThatDoNotFit(t *testing.T) {
	without := withUsers()
	without.Linux.Namespaces = nil
	for _, c := range []struct {
		spec         *specs.Spec
		option, want string
	}{
		{withUsers(), "idmap=uids=@0-1001-1;gids=0-0-1", "linux.uidMappings has no id 1001"},
		{withUsers(), "idmap=uids=0-0-1;gids=@0-990-20", "@0-990-20: linux.gidMappings has no id 1000"},
		{without, "idmap=uids=@0-0-1;gids=0-0-1", `"@" needs linux.uidMappings`},
		{&specs.Spec{}, "idmap=uids=0-0-1;gids=@0-0-1", `"@" needs linux.gidMappings`},
		{withUsers(), "idmap=uids=0-0-10#5-20-1;gids=0-0-1", "uids: range 1: container ids 5 to 5 overlap"},
	} {
		m := specs.Mount{Options: []string{"bind", c.option}}
		o, err := ParseMountOptions(m)
		if err == nil {
			_, _, err = MountIDMaps(c.spec, m, &o)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.option, err, c.want)
		}
	}
}
