package idmap

import (
	"reflect"
	"strings"
	"testing"

	"coracle/libcontainer/internal/oci/bundle"
)

func TestParseSubordinate(t *testing.T) {
	const file = `# a comment
bob:100000:65536
alice:200000:1000
1000:300000:10
alice:nonsense:5
alice:400000
alice:200500:10
alice:4294967290:100
alice:500000:1
`
	got := parseSubordinate(strings.NewReader(file), []string{"1000", "alice"})
	want := bundle.IDMap{
		{ContainerID: 1, HostID: 200000, Size: 1000},
		{ContainerID: 1001, HostID: 300000, Size: 10},
		{ContainerID: 1011, HostID: 500000, Size: 1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := parseSubordinate(strings.NewReader(file), []string{"carol"}); len(got) != 0 {
		t.Errorf("somebody without subordinate ids got %v", got)
	}
}

func FuzzParseSubordinate(f *testing.F) {
	f.Add("alice:200000:1000\nalice:201000:1000\n")
	f.Add("alice:4294967295:4294967295")
	f.Fuzz(func(t *testing.T, file string) {
		m := parseSubordinate(strings.NewReader(file), []string{"alice"})
		if _, err := m.Check(); err != nil {
			t.Errorf("%q gave %v: %v", file, m, err)
		}
	})
}
