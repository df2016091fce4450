package main

import "github.com/urfave/cli/v2"

var resumeCommand = command{
	name:      "resume",
	usage:     "resume the processes of a paused container",
	arguments: existingID,
	run: func(c *cli.Context) error {
		container, err := containerOf(c)
		if err != nil {
			return err
		}
		return container.Resume(c.Context)
	},
}
