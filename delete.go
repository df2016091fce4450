package main

import "github.com/urfave/cli/v2"

var deleteCommand = command{
	name:        "delete",
	usage:       "delete a stopped container",
	arguments:   existingID,
	description: "Removes the container's cgroup, with whatever still runs in it, and its state.",
	flags: []flag{
		{name: "force", short: "f", kind: toggle, usage: "kill the container first; no error when there is none"},
	},
	run: func(c *cli.Context) error {
		if err := checkArgs(c, 1, 1); err != nil {
			return err
		}
		rt, err := runtimeOf(c)
		if err != nil {
			return err
		}
		if c.Bool("force") {
			return rt.ForceDelete(c.Context, c.Args().First())
		}
		return rt.Container(c.Args().First()).Delete(c.Context)
	},
}
