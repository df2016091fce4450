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

// Absolute is an environment in which no variable makes programs look for others, or for libraries
// and scripts, below the working directory: the elements of paths that are relative are left out, and
// variables that have no others.
//
// Attacker: the image, when the working directory is in it.
func (e Env) Absolute() Env {
	kept := make(Env, 0, len(e))
	for _, v := range e {
		name, value, ok := strings.Cut(v, "=")
		absolute, paths := absolutePaths(name, value)
		switch {
		case !ok || !paths || absolute == value && value != "":
			kept = append(kept, v)
		case absolute != "":
			kept = append(kept, name+"="+absolute)
		}
	}
	return kept
}

// absolutePaths is the value of a variable without paths that are relative; paths reports whether
// it is one of paths. An empty one often means the working directory.
func absolutePaths(name, value string) (absolute string, paths bool) {
	list := strings.HasSuffix(name, "PATH") || strings.HasSuffix(name, "LIB") || name == "ENV" || name == "BASH_ENV"
	loader := strings.HasPrefix(name, "LD_")
	if !list && !loader {
		return "", false
	}
	separators := ":"
	if loader {
		separators = ": ;" // ld.so(8)
	}
	var kept []string
	for _, p := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		// $ORIGIN is where the program is. A library without a slash is looked for in directories.
		if p[0] == '/' || strings.HasPrefix(p, "$ORIGIN/") || strings.HasPrefix(p, "${ORIGIN}/") || !list && !strings.Contains(p, "/") {
			kept = append(kept, p)
		}
	}
	absolute = strings.Join(kept, ":")
	if strings.ContainsAny(value, " ;") && len(absolute) == len(value) {
		return value, true // only the separators are others
	}
	return absolute, true
}
