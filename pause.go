package main

import "github.com/urfave/cli/v2"

var pauseCommand = &cli.Command{
	Name:        "pause",
	Usage:       "stop all processes of a container until \"resume\"",
	ArgsUsage:   "ID",
	Description: "The processes are frozen: they use no CPU time, and get signals when they are resumed.\nSIGKILL, and \"delete --force\", end them all the same.",
	Action: func(c *cli.Context) error {
		container, err := containerOf(c)
		if err != nil {
			return err
		}
		return container.Pause()
	},
}
