package main

import (
	"github.com/urfave/cli/v2"

	"coracle/internal/foreground"
)

var pauseCommand = command{
	name:        "pause",
	usage:       "freeze all processes of a container until \"resume\"",
	arguments:   existingID,
	description: "The processes are frozen: they use no CPU time, and get signals when they are resumed.\nSIGKILL, and \"delete --force\", still kill them.",
	run: func(c *cli.Context) error {
		container, err := containerOf(c)
		if err != nil {
			return err
		}
		// A command that ends in the middle would leave them partly frozen.
		return foreground.Interruptible(c.Context, container.Pause)
	},
}
