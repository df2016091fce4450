package compile

import (
	"fmt"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/protocol"
)

// TestLaterSources: trees that cannot all be open at once are requested one by one, with what
// they need.
func TestLaterSources(t *testing.T) {
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 5, Size: 1}}
	for _, c := range []struct {
		limit uint64
		later int
	}{{1 << 20, 0}, {144, 0}, {143, 21}} {
		in := testInput(specWith(func(s *specs.Spec) {
			for i := range 19 {
				s.Mounts = append(s.Mounts, specs.Mount{Destination: fmt.Sprintf("/m/%d", i), Source: "/dir", Options: []string{"rbind"}})
			}
			s.Mounts = append(s.Mounts,
				specs.Mount{Destination: "/mapped", Source: "/dir", Options: []string{"bind", "idmap"}, UIDMappings: ids, GIDMappings: ids},
				specs.Mount{Destination: "/inside", Source: "/bundle/rootfs/x", Options: []string{"bind"}})
		}))
		in.Preserved = make([]bool, 18)
		in.Host.OpenFiles = func() uint64 { return c.limit }
		out, err := Init(in)
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Later) != c.later {
			t.Errorf("limit %d: %d sources are opened later, not %d", c.limit, len(out.Later), c.later)
		}
		trees := 0
		for _, s := range slices.Concat(out.Sources, out.Later) {
			if tree, ok := s.(source.Tree); ok && tree.Path == "/dir" {
				trees++
				if n := tree.Attrs[len(tree.Attrs)-1].IDMap; n != 0 && (n >= protocol.LaterSource) != (c.later > 0) {
					t.Errorf("limit %d: the user namespace is source %d", c.limit, n)
				}
			}
		}
		if trees != 20 {
			t.Errorf("limit %d: %d trees", c.limit, trees)
		}
	}
}
