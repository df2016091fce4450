package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

var stateCommand = command{
	name:        "state",
	usage:       "print the state of a container as JSON",
	arguments:   existingID,
	description: "The state has the properties of the runtime specification (runtime.md#state).",
	run: func(c *cli.Context) error {
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

// writeJSON prints a value as indented JSON.
func writeJSON(w io.Writer, v any) error {
	return libcontainer.WriteJSON(w, v, "  ")
}
