package systemd

import (
	"errors"
	"fmt"
	"strings"
)

// Unit is the scope of a container.
type Unit struct {
	// Slice is the slice that the unit is in, such as "machine.slice".
	Slice string `json:"slice"`
	// Name is the name of the unit, such as "coracle-web.scope".
	Name string `json:"name"`
}

// DefaultPrefix is the first part of a unit's name when the configuration gives none.
const DefaultPrefix = "coracle"

// maxName is the maximum length of a unit's name (systemd.unit(5)).
const maxName = 255

// ParsePath parses the form slice:prefix:name of linux.cgroupsPath. Each part may be empty. An
// empty slice means system.slice, or user.slice for a user manager; an empty prefix means that
// the unit's name has no prefix; an empty name means the id of the container. An empty path is
// like ":coracle:".
func ParsePath(path, id string, user bool) (Unit, error) {
	if path == "" {
		path = ":" + DefaultPrefix + ":"
	}
	parts := strings.Split(path, ":")
	if len(parts) != 3 {
		return Unit{}, fmt.Errorf("%q: systemd manages the cgroups, which takes the form slice:prefix:name, like \"system.slice:coracle:web\"", path)
	}
	slice, prefix, name := parts[0], parts[1], parts[2]
	switch slice {
	case "":
		slice = "system.slice"
		if user {
			slice = "user.slice"
		}
	case "-":
		slice = "-.slice"
	}
	if err := checkSlice(slice); err != nil {
		return Unit{}, fmt.Errorf("%q: %w", path, err)
	}
	if name == "" {
		name = id
	}
	if strings.HasSuffix(name, ".slice") {
		return Unit{}, fmt.Errorf("%q: %q is a slice, which cannot have processes", path, name)
	}
	if prefix != "" {
		name = prefix + "-" + name
	}
	u := Unit{Slice: slice, Name: escapeName(strings.TrimSuffix(name, ".scope")) + ".scope"}
	if strings.Contains(name, "/") {
		return Unit{}, fmt.Errorf("%q: \"/\" cannot be in the name of a unit", path)
	}
	if len(u.Name) > maxName {
		return Unit{}, fmt.Errorf("%q: the name of the unit would have more than %d characters", path, maxName)
	}
	return u, nil
}

// checkSlice checks the name of a slice: words with dashes between them.
func checkSlice(slice string) error {
	if slice == "-.slice" {
		return nil
	}
	words, ok := strings.CutSuffix(slice, ".slice")
	if !ok {
		return fmt.Errorf("the slice %q does not end with \".slice\"", slice)
	}
	if len(slice) > maxName {
		return fmt.Errorf("the slice has a name of more than %d characters", maxName)
	}
	for word := range strings.SplitSeq(words, "-") {
		if word == "" {
			return fmt.Errorf("the slice %q has an empty word between its dashes", slice)
		}
		if escapeName(word) != word {
			return fmt.Errorf("the slice %q has characters that names of units cannot have", slice)
		}
	}
	if words == "." || words == ".." {
		return errors.New("the slice has no name")
	}
	return nil
}

// slicePath returns the cgroup of a slice, relative to the cgroup of its manager: a-b.slice is in
// a.slice.
func slicePath(slice string) string {
	if slice == "-.slice" {
		return "/"
	}
	var path, name strings.Builder
	for n, word := range strings.Split(strings.TrimSuffix(slice, ".slice"), "-") {
		if n > 0 {
			name.WriteByte('-')
		}
		name.WriteString(word)
		path.WriteString("/" + name.String() + ".slice")
	}
	return path.String()
}

// escapeName escapes the characters that a unit's name cannot have, as systemd-escape(1) does.
func escapeName(name string) string {
	var b strings.Builder
	for n := range len(name) {
		c := name[n]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(`:-_.\@`, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}
