package main

import (
	"github.com/urfave/cli/v2"

	"coracle/internal/foreground"
)

var startCommand = command{
	name:        "start",
	usage:       "start the process of a created container",
	arguments:   existingID,
	description: "Returns when the process has been executed, or says why it could not be.",
	run: func(c *cli.Context) error {
		container, err := containerOf(c)
		if err != nil {
			return err
		}
		return foreground.Start(c.Context, container, notifySocket())
	},
}
