package main

import (
	"reflect"
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
