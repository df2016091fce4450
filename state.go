package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

var stateCommand = &cli.Command{
	Name:        "state",
	Usage:       "print the state of a container as JSON",
	ArgsUsage:   "ID",
	Description: "The state has the properties of the runtime specification (runtime.md#state).",
	Action: func(c *cli.Context) error {
		container, err := containerOf(c)
		if err != nil {
			return err
		}
		s, err := container.State()
		if err != nil {
			return err
		}
		return writeJSON(c.App.Writer, s)
	},
}

// writeJSON prints a value for programs and people.
func writeJSON(w io.Writer, v any) error {
	return libcontainer.WriteJSON(w, v, "  ")
}
