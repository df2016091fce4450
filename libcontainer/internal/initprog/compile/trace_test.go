package compile

import (
	"strconv"
	"strings"
	"testing"

	"coracle/libcontainer/internal/initprog/program"
)

// trace returns a program as text for tests: a line for each op with its step, the object and the
// call. Unlike a listing, it has no wording for people.
func trace(out *Output) string {
	var b strings.Builder
	for _, l := range out.Program.Lines() {
		n := out.Program.Note(l.Op)
		b.WriteString(at(n.Step, n.Object, n.At))
		b.WriteString(l.Call + "(" + strings.Join(l.Args, ", ") + ")")
	}
	return b.String()
}

// at returns how the lines of a step begin in a trace, optionally for given objects.
func at(step program.Step, objects ...string) string {
	s := "\n" + string(step) + " "
	for _, o := range objects {
		if o != "" {
			s += strconv.Quote(o) + " "
		}
	}
	return s
}

// ordered fails the test unless the left side of each pair comes before the right side in the
// trace.
func ordered(t *testing.T, out *Output, pairs [][2]string) {
	t.Helper()
	l := trace(out)
	for _, pair := range pairs {
		if index(t, l, pair[0]) > index(t, l, pair[1]) {
			t.Errorf("%q comes after %q", pair[0], pair[1])
		}
	}
}

// checkNames fails the test when an op has no step, or changes a location without a name.
func checkNames(t *testing.T, p *program.Program) {
	t.Helper()
	for _, l := range p.Lines() {
		if l.Result == "buffer" || l.Kind == program.KindSet && l.Args[0] == "buffer" {
			t.Errorf("op %d, %s, changes a place without a name", l.Op, l.What)
		}
	}
	for op := range p.Len() {
		if n := p.Note(op); n.Step == "" {
			t.Errorf("op %d, %s, has no step", op, n.Text())
		}
	}
}
