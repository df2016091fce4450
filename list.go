package main

import (
	"fmt"
	"os"
	"strconv"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

var listCommand = command{
	name:  "list",
	usage: "list containers",
	flags: []flag{
		{name: "format", short: "f", placeholder: "FORMAT", usage: "format of the list", choices: []string{"table", "json"}, def: "table"},
		{name: "quiet", short: "q", kind: toggle, usage: "print only ids"},
	},
	run: func(c *cli.Context) error {
		rt, err := runtimeAlone(c)
		if err != nil {
			return err
		}
		states, err := rt.List()
		if err != nil {
			return err
		}
		// The default root is created with the first container, but a root that was named should
		// exist.
		if len(states) == 0 && c.IsSet("root") {
			if _, err := os.Stat(rt.Root); err != nil {
				return fmt.Errorf("list the containers below --root: %w", err)
			}
		}
		switch {
		case c.Bool("quiet"):
			for _, s := range states {
				fmt.Fprintln(c.App.Writer, s.ID)
			}
			return nil
		case c.String("format") == "json":
			return writeJSON(c.App.Writer, states)
		}
		return writeTable(c, states)
	},
}

func writeTable(c *cli.Context, states []libcontainer.State) error {
	w := tabwriter.NewWriter(c.App.Writer, 12, 1, 3, ' ', 0)
	fmt.Fprintln(w, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER")
	for _, s := range states {
		pid := "-" // the process has ended
		if s.Pid != 0 {
			pid = strconv.Itoa(s.Pid)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, pid, s.Status, s.Bundle, s.Created, s.Owner)
	}
	return w.Flush()
}
