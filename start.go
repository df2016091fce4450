package main

import "github.com/urfave/cli/v2"

var startCommand = &cli.Command{
	Name:        "start",
	Usage:       "start the process of a created container",
	ArgsUsage:   "ID",
	Description: "Returns when the process has been executed, or says why it could not be.",
	Action: func(c *cli.Context) error {
		container, err := containerOf(c)
		if err != nil {
			return err
		}
		return container.Start()
	},
}
