package main

import "github.com/urfave/cli/v2"

var deleteCommand = &cli.Command{
	Name:        "delete",
	Usage:       "delete a stopped container",
	ArgsUsage:   "ID",
	Description: "Removes the container's cgroup, with whatever still runs in it, and its state.",
	Flags: []cli.Flag{
		&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "kill the container first; no error when there is none"},
	},
	Action: func(c *cli.Context) error {
		if err := checkArgs(c, 1, 1); err != nil {
			return err
		}
		rt, err := runtimeOf(c)
		if err != nil {
			return err
		}
		if c.Bool("force") {
			return rt.ForceDelete(c.Args().First())
		}
		return rt.Container(c.Args().First()).Delete()
	},
}
