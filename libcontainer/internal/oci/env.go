package oci

import (
	"slices"
	"strings"
)

// Env is an environment: NAME=VALUE, as in process.env. If a name occurs more than once, the last
// one wins.
type Env []string

// Lookup returns the value of a variable.
func (e Env) Lookup(name string) (value string, ok bool) {
	for _, v := range slices.Backward(e) {
		if value, ok = strings.CutPrefix(v, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// Without returns a copy without a variable.
func (e Env) Without(name string) Env {
	return slices.DeleteFunc(slices.Clone(e), func(v string) bool { return strings.HasPrefix(v, name+"=") })
}

// With returns a copy in which a variable, appended at the end, replaces those with the same
// name.
func (e Env) With(name, value string) Env { return append(e.Without(name), name+"="+value) }

// LastOfEach returns a copy with only the last variable of each name, in its position. With
// duplicates, getenv(3) would find the first one and a shell would use the last one.
func (e Env) LastOfEach() Env {
	seen := make(map[string]bool, len(e))
	last := make(Env, 0, len(e))
	for _, v := range slices.Backward(e) {
		if name, _, _ := strings.Cut(v, "="); !seen[name] {
			seen[name] = true
			last = append(last, v)
		}
	}
	slices.Reverse(last)
	return last
}
