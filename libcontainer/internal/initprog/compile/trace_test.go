package compile

import (
	"strconv"
	"strings"
	"testing"

	"coracle/libcontainer/internal/initprog/program"
)

// trace is a program for tests: a line for each op, with its step, what that is done to, and
// the call. Unlike a listing it has nothing that is worded for people.
func trace(out *Output) string {
	var b strings.Builder
	for _, l := range out.Program.Lines() {
		n := out.Program.Note(l.Op)
		b.WriteString(at(n.Step, n.Object, n.At))
		b.WriteString(l.Call + "(" + strings.Join(l.Args, ", ") + ")")
	}
	return b.String()
}

// at is how the ops of a step begin in a trace, of those that are done to some objects, if any
// are named.
func at(step program.Step, objects ...string) string {
	s := "\n" + string(step) + " "
	for _, o := range objects {
		if o != "" {
			s += strconv.Quote(o) + " "
		}
	}
	return s
}

// ordered fails the test when what is on the left side of a pair is not before what is on the
// right in a trace.
func ordered(t *testing.T, out *Output, pairs [][2]string) {
	t.Helper()
	l := trace(out)
	for _, pair := range pairs {
		if index(t, l, pair[0]) > index(t, l, pair[1]) {
			t.Errorf("%q comes after %q", pair[0], pair[1])
		}
	}
}

// checkNames fails the test when an op has no step, or the place that it changes no name.
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
