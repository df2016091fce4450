package oci

import (
	"slices"
	"strings"
)

// Env is an environment: NAME=VALUE, as in process.env. Of several variables with one name the
// last counts.
type Env []string

// Lookup finds the value of a variable.
func (e Env) Lookup(name string) (value string, ok bool) {
	for _, v := range slices.Backward(e) {
		if value, ok = strings.CutPrefix(v, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// Without is a copy that does not have a variable.
func (e Env) Without(name string) Env {
	return slices.DeleteFunc(slices.Clone(e), func(v string) bool { return strings.HasPrefix(v, name+"=") })
}

// With is a copy with a variable in the place of those with the same name, at the end.
func (e Env) With(name, value string) Env { return append(e.Without(name), name+"="+value) }

// LastOfEach is a copy with the last of several variables that have one name, at its place: of
// two, getenv(3) would find the first and a shell take the last.
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
