package bundle

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestIDMapCheck(t *testing.T) {
	entries := func(n int, size uint32) IDMap {
		m := make(IDMap, n)
		for i := range m {
			m[i] = specs.LinuxIDMapping{ContainerID: uint32(i) * size, HostID: 1_000_000_000 + uint32(i)*size, Size: size}
		}
		return m
	}
	for _, c := range []struct {
		name  string
		m     IDMap
		index int
		want  string // "" for a valid one
	}{
		{"empty", nil, -1, ""},
		{"all ids", IDMap{{ContainerID: 0, HostID: 0, Size: 1<<32 - 1}}, -1, ""},
		{"the last id", IDMap{{ContainerID: 1<<32 - 2, HostID: 1<<32 - 2, Size: 1}}, -1, ""},
		{"neighbours", IDMap{{ContainerID: 0, HostID: 10, Size: 5}, {ContainerID: 5, HostID: 15, Size: 5}, {ContainerID: 10, HostID: 5, Size: 5}}, -1, ""},
		{"no size", IDMap{{ContainerID: 0, HostID: 10, Size: 1}, {ContainerID: 1}}, 1, "size is missing or 0"},
		{"no id", IDMap{{ContainerID: 1<<32 - 1, HostID: 0, Size: 1}}, 0, "containerID 4294967295 with size 1 goes beyond"},
		{"beyond, on the host", IDMap{{ContainerID: 0, HostID: 1<<32 - 2, Size: 2}}, 0, "hostID 4294967294 with size 2 goes beyond"},
		{"overlap", IDMap{{ContainerID: 0, HostID: 0, Size: 10}, {ContainerID: 9, HostID: 20, Size: 1}}, 1, "container ids 9 to 9 overlap with those of entry 0"},
		{"overlap, on the host", IDMap{{ContainerID: 100, HostID: 50, Size: 10}, {ContainerID: 0, HostID: 45, Size: 6}}, 1, "host ids 45 to 50 overlap with those of entry 0"},
		{"as many as there can be", entries(200, 1), -1, ""},
		{"too many", entries(341, 1), -1, "341 entries"},
		{"too long", entries(340, 1), -1, "bytes as text"},
	} {
		i, err := c.m.Check()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || i != c.index):
			t.Errorf("%s: entry %d: %v", c.name, i, err)
		}
	}
}

func TestIDMapTranslate(t *testing.T) {
	m := IDMap{{ContainerID: 0, HostID: 1000, Size: 1}, {ContainerID: 1, HostID: 100000, Size: 65535}}
	for in, host := range map[uint32]uint32{0: 1000, 1: 100000, 65535: 165534} {
		if got, ok := m.ToHost(in); !ok || got != host {
			t.Errorf("%d becomes %d, %v", in, got, ok)
		}
		if got, ok := m.ToContainer(host); !ok || got != in {
			t.Errorf("%d becomes %d, %v in the namespace", host, got, ok)
		}
	}
	for _, in := range []uint32{65536, 1<<32 - 1} {
		if got, ok := m.ToHost(in); ok {
			t.Errorf("%d becomes %d", in, got)
		}
	}
	for _, host := range []uint32{0, 999, 1001, 165535} {
		if got, ok := m.ToContainer(host); ok {
			t.Errorf("%d becomes %d in the namespace", host, got)
		}
	}
	if got, want := m.String(), "0 1000 1\n1 100000 65535\n"; got != want {
		t.Errorf("the text is %q", got)
	}
}

// FuzzIDMap: a mapping that is accepted is one-to-one.
func FuzzIDMap(f *testing.F) {
	f.Add(uint32(0), uint32(1000), uint32(1), uint32(1), uint32(100000), uint32(65535), uint32(7))
	f.Add(uint32(0), uint32(0), uint32(1<<32-1), uint32(0), uint32(0), uint32(0), uint32(1<<32-1))
	f.Fuzz(func(t *testing.T, c0, h0, s0, c1, h1, s1, id uint32) {
		m := IDMap{{ContainerID: c0, HostID: h0, Size: s0}, {ContainerID: c1, HostID: h1, Size: s1}}
		if _, err := m.Check(); err != nil {
			return
		}
		if host, ok := m.ToHost(id); ok {
			if back, ok := m.ToContainer(host); !ok || back != id || host > maxID {
				t.Errorf("%v: %d becomes %d, and that %d, %v", m, id, host, back, ok)
			}
		}
		if in, ok := m.ToContainer(id); ok {
			if host, ok := m.ToHost(in); !ok || host != id || in > maxID {
				t.Errorf("%v: %d becomes %d in the namespace, and that %d, %v", m, id, in, host, ok)
			}
		}
	})
}
