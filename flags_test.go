package main

import (
	"slices"
	"testing"

	"github.com/urfave/cli/v2"
)

// tablesOfFlags returns the global flags and those of each command.
func tablesOfFlags() map[string][]flag {
	tables := map[string][]flag{"": globalFlags}
	for _, c := range commands {
		tables[c.name] = slices.Concat(c.tables()...)
	}
	return tables
}

// TestTables: a flag has a placeholder if and only if it takes a value, a valid default, and
// unique names.
func TestTables(t *testing.T) {
	for command, flags := range tablesOfFlags() {
		seen := map[string]bool{"help": true, "h": true}
		for i := range flags {
			f := &flags[i]
			if f.takesValue() != (f.placeholder != "") || f.usage == "" {
				t.Errorf("%s --%s: placeholder %q, usage %q", command, f.name, f.placeholder, f.usage)
			}
			if f.def != "" && f.check(f.def) != nil {
				t.Errorf("%s --%s: %v", command, f.name, f.check(f.def))
			}
			for _, n := range f.names() {
				if seen[n] || (n == f.short) != (len(n) == 1) {
					t.Errorf("%s: the name %q", command, n)
				}
				seen[n] = true
			}
		}
	}
}

// call runs a command line with another action for the command, and returns its context.
func call(t *testing.T, args ...string) (*cli.Context, error) {
	t.Helper()
	called, args := arrange(append([]string{name}, args...))
	app := newApp(called)
	var got *cli.Context
	app.Commands[0].Action = func(c *cli.Context) error { got = c; return nil }
	err := app.Run(args)
	return got, err
}

// TestNamesMixed: all names of a flag are one flag.
func TestNamesMixed(t *testing.T) {
	c, err := call(t, "exec", "-e", "A=1,2", "--env", "B=", "-e=C", "--user", "1", "-u", "2", "-t", "-env", "", "id", "-e", "D")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := repeated(c, "env"), []string{"A=1,2", "B=", "C", ""}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := c.String("user"); got != "2" || !c.IsSet("user") || !c.Bool("tty") || !c.IsSet("tty") || c.IsSet("cwd") || c.Bool("detach") {
		t.Errorf("--user %s, --tty %t", got, c.Bool("tty"))
	}
	// Values of one command line are not set in the next.
	if c, err = call(t, "exec", "id", "true"); err != nil || len(repeated(c, "env")) > 0 || c.IsSet("user") {
		t.Errorf("%q, %v", repeated(c, "env"), err)
	}
}

func TestInvalidValues(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--rootless", "maybe", "list"}, `invalid --rootless "maybe": want true, false or auto`},
		{[]string{"--rootless=", "list"}, `invalid --rootless "": want true, false or auto`},
		{[]string{"--log-format", "xml", "list"}, `invalid --log-format "xml": want text or json`},
		{[]string{"--debug=maybe", "list"}, `invalid --debug "maybe": want true or false`},
		{[]string{"list", "-f", "xml"}, `invalid --format "xml": want table or json`},
		{[]string{"create", "id", "--preserve-fds", "-3"}, `invalid --preserve-fds "-3": want a number from 0 on`},
		{[]string{"events", "--interval=soon", "id"}, `invalid --interval "soon": want a duration, like 500ms or 1m`},
		{[]string{"exec", "-d=x", "--preserve-fds", "y", "id", "true"}, `invalid --detach "x": want true or false`},
		{[]string{"run", "--preserve-fds", "0x10", "--preserve-fds", "18446744073709551616", "id"}, `invalid --preserve-fds "18446744073709551616": want a number from 0 on`},
	} {
		if _, err := call(t, c.args...); err == nil || err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.args, err, c.want)
		}
	}
}

// TestUpdateFlags: each flag of update sets something.
func TestUpdateFlags(t *testing.T) {
	set := new(limits).setters()
	for _, f := range updateCommand.flags {
		if f.name != "resources" && f.name != "devices" && set[f.name] == nil {
			t.Errorf("--%s sets nothing", f.name)
		}
		delete(set, f.name)
	}
	if len(set) > 0 {
		t.Errorf("there are no flags for %v", set)
	}
}
