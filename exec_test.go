package main

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestParseID(t *testing.T) {
	for s, want := range map[string]uint32{"0": 0, "1": 1, "1000": 1000, "4294967294": 4294967294} {
		if got, err := parseID(s); err != nil || got != want {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{
		"", " ", " 1", "1 ", "+1", "-1", "-0", "00", "01", "0x1", "0o1", "0b1", "1_000", "1e3", "1.0", "root", "1root", "١",
		"4294967295", "4294967296", "18446744073709551616", "1\n", "1\x00",
	} {
		if got, err := parseID(s); err == nil {
			t.Errorf("%q is taken as %d", s, got)
		} else if text := err.Error(); !strings.Contains(text, "is not a number from 0 to 4294967294") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestParseUser(t *testing.T) {
	umask := uint32(0o77)
	old := specs.User{UID: 100, GID: 101, AdditionalGids: []uint32{7}, Umask: &umask}
	for s, want := range map[string][2]uint32{
		"0": {0, 101}, "5": {5, 101}, "5:6": {5, 6}, "0:0": {0, 0}, "0:4294967294": {0, 4294967294},
	} {
		user, wanted := old, old
		wanted.UID, wanted.GID = want[0], want[1]
		if err := parseUser(s, &user); err != nil || !reflect.DeepEqual(user, wanted) {
			t.Errorf("%q: %+v, %v", s, user, err)
		}
	}
	for _, s := range []string{"", ":", "5:", ":6", "5:6:7", "root", "root:root", "5:wheel", "5: 6", "4294967295", "5:4294967295"} {
		user := old
		if err := parseUser(s, &user); err == nil || !reflect.DeepEqual(user, old) {
			t.Errorf("%q is taken as %+v", s, user)
		} else if !strings.HasPrefix(err.Error(), "--user ") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzParseUser(f *testing.F) {
	for _, s := range []string{"0", "5:6", "root", "01", ":", "4294967295"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var user specs.User
		if parseUser(s, &user) != nil {
			return
		}
		uid, gid := strconv.FormatUint(uint64(user.UID), 10), strconv.FormatUint(uint64(user.GID), 10)
		if s != uid && s != uid+":"+gid || user.UID == 1<<32-1 || user.GID == 1<<32-1 {
			t.Errorf("%q is taken as %+v", s, user)
		}
	})
}

func TestAddCapabilities(t *testing.T) {
	old := &specs.LinuxCapabilities{
		Bounding: []string{"CAP_KILL"}, Effective: []string{"CAP_KILL"}, Permitted: []string{"CAP_KILL"},
		Inheritable: []string{"CAP_CHOWN"}, Ambient: []string{"CAP_CHOWN"},
	}
	p := &specs.Process{Capabilities: old}
	addCapabilities(p, []string{"CAP_NET_RAW"})
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
	addCapabilities(p, []string{"CAP_NET_RAW"})
	one := []string{"CAP_NET_RAW"}
	if want := (&specs.LinuxCapabilities{Bounding: one, Effective: one, Permitted: one}); !reflect.DeepEqual(p.Capabilities, want) {
		t.Errorf("got %+v", p.Capabilities)
	}
}

func TestAddEnv(t *testing.T) {
	for _, c := range []struct{ old, added, want []string }{
		{nil, nil, nil},
		{nil, []string{"A=1"}, []string{"A=1"}},
		{[]string{"A=1", "B=2"}, []string{"A=3"}, []string{"B=2", "A=3"}},
		{[]string{"A=1", "AB=2", "A=3"}, []string{"A="}, []string{"AB=2", "A="}},
		{[]string{"A=1"}, []string{"A=x=y", "A=2"}, []string{"A=2"}},
		{[]string{"A=1"}, []string{"A"}, []string{"A"}},
	} {
		old := slices.Clone(c.old)
		p := &specs.Process{Env: c.old}
		addEnv(p, c.added)
		if !slices.Equal(p.Env, c.want) || !slices.Equal(c.old, old) {
			t.Errorf("%q and %q: %q", old, c.added, p.Env)
		}
	}
}
