package main

import "github.com/urfave/cli/v2"

var resumeCommand = &cli.Command{
	Name:      "resume",
	Usage:     "let the processes of a paused container go on",
	ArgsUsage: "ID",
	Action: func(c *cli.Context) error {
		container, err := containerOf(c)
		if err != nil {
			return err
		}
		return container.Resume()
	},
}
