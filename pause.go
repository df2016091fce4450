package main

import "github.com/urfave/cli/v2"

var pauseCommand = command{
	name:        "pause",
	usage:       "stop all processes of a container until \"resume\"",
	arguments:   existingID,
	description: "The processes are frozen: they use no CPU time, and get signals when they are resumed.\nSIGKILL, and \"delete --force\", end them all the same.",
	run: func(c *cli.Context) error {
		container, err := containerOf(c)
		if err != nil {
			return err
		}
		return container.Pause()
	},
}
