package hostfs

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTerritory uses the root of this machine and its /proc as mounts of a container. It only
// relies on these being two mounts.
func TestTerritory(t *testing.T) {
	root, proc := openDir(t, "/"), openDir(t, "/proc")
	rootNumber, err := mountOf(root)
	if err != nil {
		t.Fatal(err)
	}
	procNumber, err := mountOf(proc)
	if err != nil || procNumber == rootNumber {
		t.Skip("/proc is no mount", err)
	}
	const missing = 1 << 40 // no mount has this number
	mount := func(number uint64, dest string, own bool) Mount {
		return Mount{Number: number, Dest: dest, Own: own, Name: dest}
	}
	other := new(OtherMount)
	for name, c := range map[string]struct {
		territory Territory
		path      string
		refused   bool
	}{
		"of nobody":                 {nil, "/proc/x", false},
		"in the rootfs":             {Territory{mount(rootNumber, "/", true)}, "/etc/x", false},
		"where it lies":             {Territory{mount(rootNumber, "/", true), mount(procNumber, "/proc", false)}, "/proc/x", false},
		"in another":                {Territory{mount(missing, "/", true), mount(rootNumber, "/vol", false)}, "/etc/x", true},
		"in another of its own":     {Territory{mount(missing, "/", true), mount(rootNumber, "/vol", true)}, "/etc/x", false},
		"from a volume to its own":  {Territory{mount(rootNumber, "/", true), mount(missing, "/etc", false)}, "/etc/x", true},
		"of the host, in its place": {Territory{mount(rootNumber, "/", true)}, "/proc/x", false},
		"of the host, elsewhere":    {Territory{mount(missing, "/", true), mount(rootNumber, "/vol", false)}, "/proc/x", true},
		"of the host, by a link":    {Territory{mount(rootNumber, "/", true)}, "/dev/fd/x", true},
	} {
		dir, link := "etc", 0
		switch {
		case c.path == "/proc/x":
			dir = "proc"
		case c.path == "/dev/fd/x":
			dir, link = "proc", 1
		}
		w := &walk{root: root, t: c.territory, home: c.territory.of(c.path), links: link, link: rootNumber}
		fd, err := below(root, dir, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			t.Fatal(err)
		}
		err = w.check(dir, fd)
		unix.Close(fd)
		if errors.As(err, &other) != c.refused || err != nil && other.Link != (link > 0) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Territory{mount(rootNumber, "/", true)}).Check(root, "/etc", missing); !errors.Is(err, errElsewhere) {
		t.Errorf("a place that is not the one that was pinned: %v", err)
	}
}
