package main

import (
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestHelpListsChoices: what shells complete a value to is what the help says.
func TestHelpListsChoices(t *testing.T) {
	app, found := newApp(), 0
	check := func(flags []cli.Flag) {
		for _, f := range flags {
			n, ok := f.(*namedFlag)
			if !ok {
				continue
			}
			_, words := n.Completes()
			for _, word := range words {
				found++
				if !strings.Contains(n.GetUsage(), word) {
					t.Errorf("--%s: the help does not say that %s is possible", n.Names()[0], word)
				}
			}
		}
	}
	check(app.Flags)
	for _, c := range app.Commands {
		check(c.Flags)
	}
	if found < 10 {
		t.Errorf("only %d choices", found)
	}
}
