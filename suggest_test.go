package main

import "testing"

func TestNearest(t *testing.T) {
	commands := []string{"create", "delete", "events", "exec", "features", "kill", "list", "pause", "plan", "ps", "resume", "run", "spec", "start", "state", "update", "validate"}
	for typed, want := range map[string]string{
		"creat": "create", "craete": "create", "del": "delete", "rnu": "run", "stat": "state", "sta": "", "st": "", "strat": "start", "stae": "state",
		"feature": "features", "killl": "kill", "x": "", "p": "", "": "", "zzzzzz": "", "valdiate": "validate", "excec": "exec",
	} {
		if got := nearest(typed, commands); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

func TestTypingErrors(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"acb", "abc", 1}, {"kitten", "sitting", 3}, {"ba", "abc", 2}} {
		if got := typingErrors(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
