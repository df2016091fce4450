package bundle

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci/jsonpos"
)

// Finding is a problem or warning with its position.
type Finding struct {
	Problem
	// Warning reports whether a container can be created anyway.
	Warning bool
	// Line and Column count from 1, columns in bytes. For a missing property they are the
	// position of the object that it belongs in.
	Line, Column int
}

// JSONPointer returns the property as a JSON Pointer (RFC 6901).
func (f Finding) JSONPointer() string { return jsonpos.Pointer(f.Property) }

// Inspection is the result of Inspect.
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

// Inspect runs the checks of [Load] on a bundle and does not stop at the first problem. It gives
// more warnings than Load: for required properties that are missing although nothing depends on
// them, for duplicate properties, and for mounts that others hide. more adds further checks; it
// may be nil.
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

// More adds further checks of a bundle. valid reports whether nothing that prevents creating a
// container has been found so far, so that values in the configuration can be relied on.
type More func(b *Bundle, valid bool) (problems, warnings []Problem)

// findings returns what is wrong with the configuration of the bundle at a path.
func findings(path string, raw []byte, more More) []Finding {
	b := &Bundle{Path: path, Spec: new(specs.Spec), Raw: raw}
	i := inspector{raw: raw}
	report, err := jsonpos.Examine(raw, b.Spec)
	if err != nil {
		// The rest of the document cannot be decoded.
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
	if more := i.checked - i.most(); more > 0 {
		i.found = append(i.found, Finding{Problem: Problem{Text: fmt.Sprintf("%d more findings", more)}, Warning: true, Line: 1, Column: 1})
	}
	slices.SortStableFunc(i.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return i.found
}

// Each finding of the checks is looked for in the document, and compared with the others. So there
// are maxFindings at most, and fewer in a large document: as many as maxSearched bytes allow, but
// minFindings in any case.
const (
	maxFindings = 1000
	minFindings = 20
	maxSearched = 32 << 20
)

// most is how many findings the checks may add one by one.
func (i *inspector) most() int {
	return max(minFindings, min(maxFindings, maxSearched/max(len(i.raw), 1)))
}

type inspector struct {
	raw     []byte
	checked int // how many findings the checks have
	found   []Finding
	misfits []*jsonpos.Error
}

// errors adds findings of the decoder.
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

// valid reports whether all findings are warnings.
func (i *inspector) valid() bool {
	return !slices.ContainsFunc(i.found, func(f Finding) bool { return !f.Warning })
}

// further adds problems of properties that have no finding yet.
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

// problem adds a finding of the checks. A finding that follows from another one is left out: a
// value of the wrong type was not decoded, so the property seems to be missing.
func (i *inspector) problem(p Problem, warning bool) {
	if i.checked >= i.most() && (warning || !i.valid()) {
		i.checked++
		return
	}
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
	i.checked++
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
