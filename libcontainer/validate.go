package libcontainer

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/oci/bundle"
)

// Inspection is everything that is wrong with a bundle.
type Inspection = bundle.Inspection

// Finding is something that is wrong with a configuration, and where.
type Finding = bundle.Finding

// Validate checks the bundle in dir, the current directory when empty, like
// [Runtime.Create] does before it begins, and does not stop at the first problem. Of the
// host only its version of cgroups matters. It has no side effects and needs no
// privileges. The error is for a bundle that has no configuration or one that cannot be
// read.
func Validate(dir string) (*Inspection, error) {
	return bundle.Inspect(dir, func(s *specs.Spec) (problems, warnings []bundle.Problem) {
		wrong, idle := cgroup.Check(s)
		for _, p := range wrong {
			problems = append(problems, bundle.Problem(p))
		}
		for _, p := range idle {
			warnings = append(warnings, bundle.Problem(p))
		}
		return problems, warnings
	})
}
