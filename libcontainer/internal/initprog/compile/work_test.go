package compile

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// allocated returns how many bytes a function has allocated in all, freed ones included: a measure of
// its work that no other load changes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// directories makes a PATH of many directories.
func directories(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%x:", i)
	}
	return b.String()
}

// TestWorkIsBounded: what strings of an image and lists of a configuration need is bounded by how large
// they are together, not by the product.
func TestWorkIsBounded(t *testing.T) {
	many := func(n int, text string) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf(text, i))
		}
		return list
	}
	for name, c := range map[string]struct {
		change func(*specs.Spec)
		most   uint64 // in MiB
	}{
		"name and PATH": {func(s *specs.Spec) {
			s.Process.Args[0], s.Process.Env = strings.Repeat("a", 100_000), []string{"PATH=" + directories(4000)}
		}, 16},
		"longest name and PATH": {func(s *specs.Spec) {
			s.Process.Args[0], s.Process.Env = strings.Repeat("a", 255), []string{"PATH=" + directories(4000)}
		}, 32},
		"too many directories": {func(s *specs.Spec) {
			s.Process.Args[0], s.Process.Env = strings.Repeat("a", 255), []string{"PATH=" + directories(20_000)}
		}, 32},
		"long directories": {func(s *specs.Spec) {
			s.Process.Args[0], s.Process.Env = "sh", []string{"PATH=" + strings.Repeat("/x", 50_000) + ":/bin"}
		}, 16},
		"variables": {func(s *specs.Spec) { s.Process.Env = many(20_000, "N%d=") }, 32},
		"masked paths and mounts": {func(s *specs.Spec) {
			s.Linux.MaskedPaths = many(2000, "/proc/%d")
			for i := range 2000 {
				s.Mounts = append(s.Mounts, specs.Mount{Destination: fmt.Sprintf("/m/%d", i), Type: "tmpfs", Source: "tmpfs"})
			}
		}, 96},
	} {
		used := allocated(func() { _, _ = Init(testInput(specWith(c.change))) })
		if used > c.most<<20 {
			t.Errorf("%s: %d MiB were allocated, at most %d are expected", name, used>>20, c.most)
		}
	}
}
