package bundle

import (
	"cmp"
	"errors"
	"path/filepath"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci/jsonpos"
)

// Finding is something that is wrong with a configuration, and where.
type Finding struct {
	Problem
	// Warning reports whether a container can be created all the same.
	Warning bool
	// Line and Column count from 1, columns in bytes. Of what is missing it is the place
	// where it would have to be: that of the object around it.
	Line, Column int
}

// JSONPointer names the property as RFC 6901 has it.
func (f Finding) JSONPointer() string { return jsonpos.Pointer(f.Property) }

// Inspection is everything that is wrong with a bundle.
type Inspection struct {
	// Config is the path of the configuration.
	Config string
	// Findings are in the order of the configuration.
	Findings []Finding
}

// Problems counts the findings that prevent creating a container.
func (i *Inspection) Problems() (n int) {
	for _, f := range i.Findings {
		if !f.Warning {
			n++
		}
	}
	return n
}

// Inspect checks a bundle with the checks of [Load], and does not stop at the
// first problem. It warns of more than Load does: of required properties that are
// missing where nothing depends on them, of properties that are there twice, and of mounts
// that others hide. more has further checks; it may be nil.
//
// The error is for a bundle whose configuration cannot be read.
func Inspect(from Place, more More) (*Inspection, error) {
	path, raw, err := from.open()
	if err != nil {
		return nil, err
	}
	config := cmp.Or(from.Config, filepath.Join(cmp.Or(from.Dir, "."), ConfigName))
	return &Inspection{Config: config, Findings: findings(path, raw, more)}, nil
}

// More has further checks of a bundle. valid reports whether nothing that prevents creating a
// container has been found so far: everything in the configuration is what it seems to be.
type More func(b *Bundle, valid bool) (problems, warnings []Problem)

// findings are what is wrong with the configuration of the bundle at a path.
func findings(path string, raw []byte, more More) []Finding {
	b := &Bundle{Path: path, Spec: new(specs.Spec), Raw: raw}
	i := inspector{raw: raw}
	report, err := jsonpos.Examine(raw, b.Spec)
	if err != nil {
		// What is behind this cannot be understood.
		i.errors([]*jsonpos.Error{asError(err)}, false)
		return i.found
	}
	i.errors(report.Misfits, false)
	i.misfits = report.Misfits
	problems, warnings := Validate(b.Spec)
	i.problems(problems, false)
	i.problems(warnings, true)
	i.problems(hiddenMounts(b.Spec.Mounts), true)
	if b.Spec.Root != nil && b.Spec.Root.Path != "" {
		if err := b.findRootfs(); err != nil {
			i.problems([]Problem{asProblem(err)}, false)
		}
	}
	if more != nil {
		problems, warnings := more(b, i.valid())
		i.further(problems)
		i.problems(warnings, true)
	}
	i.errors(report.Unknown, true)
	i.errors(report.Repeated, true)
	for _, m := range report.Missing {
		if required(b.Spec, m.Path) {
			i.problem(Predicate(m.Path, "%s", m.Text), true)
		}
	}
	slices.SortStableFunc(i.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return i.found
}

type inspector struct {
	raw     []byte
	found   []Finding
	misfits []*jsonpos.Error
}

// errors adds what was found by reading.
func (i *inspector) errors(errs []*jsonpos.Error, warning bool) {
	for _, e := range errs {
		i.found = append(i.found, Finding{Problem{Property: e.Path, Text: e.Text}, warning, e.Line, e.Column})
	}
}

func (i *inspector) problems(problems []Problem, warning bool) {
	for _, p := range problems {
		i.problem(p, warning)
	}
}

// valid reports whether nothing has been found but warnings.
func (i *inspector) valid() bool {
	return !slices.ContainsFunc(i.found, func(f Finding) bool { return !f.Warning })
}

// further adds problems with properties of which no problem is known.
func (i *inspector) further(problems []Problem) {
	known := make(map[string]bool)
	for _, f := range i.found {
		if !f.Warning {
			known[f.Property] = true
		}
	}
	for _, p := range problems {
		if p.Property == "" || !known[p.Property] {
			i.problem(p, false)
		}
	}
}

// problem adds what was found by checking. What only repeats another finding is left out:
// a value that does not fit was not read, so that it seems to be missing.
func (i *inspector) problem(p Problem, warning bool) {
	for _, m := range i.misfits {
		if jsonpos.Within(p.Property, m.Path) || p.Property == jsonpos.Parent(m.Path) {
			return
		}
	}
	for _, f := range i.found {
		if f.Property == p.Property && (warning || f.Text == p.Text) {
			return
		}
	}
	line, column := jsonpos.Locate(i.raw, p.Property)
	i.found = append(i.found, Finding{p, warning, line, column})
}

func asError(err error) *jsonpos.Error {
	var at *jsonpos.Error
	if errors.As(err, &at) {
		return at
	}
	return &jsonpos.Error{Line: 1, Column: 1, Text: err.Error()}
}

func asProblem(err error) Problem {
	var p Problem
	if errors.As(err, &p) {
		return p
	}
	return Problem{Text: err.Error()}
}
