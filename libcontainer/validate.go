package libcontainer

import "coracle/libcontainer/bundle"

// Validate checks the bundle in dir, the current directory when empty, like
// [Runtime.Create] does before it begins, and does not stop at the first problem. It has
// no side effects and needs no privileges. The error is for a bundle that has no
// configuration or one that cannot be read.
func Validate(dir string) (*bundle.Inspection, error) {
	return bundle.Inspect(dir)
}
