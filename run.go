package main

import (
	"github.com/urfave/cli/v2"

	"coracle/internal/foreground"
)

var runCommand = command{
	name:        "run",
	usage:       "create and start a container",
	arguments:   newID,
	description: "Without --detach, waits for the process, deletes the container (unless --keep is given) and exits with the status of the process,\n128 plus the number of the signal when a signal ended it.",
	shared:      [][]flag{bundleFlags, createFlags},
	flags: []flag{
		{name: "detach", short: "d", kind: toggle, usage: "return when the process has been started"},
		{name: "keep", kind: toggle, usage: "do not delete the container when its process has ended"},
		{name: "no-subreaper", kind: toggle, usage: "do not adopt the orphans of the container"},
	},
	run: func(c *cli.Context) error {
		if err := checkArgs(c, 1, 1); err != nil {
			return err
		}
		rt, err := runtimeOf(c)
		if err != nil {
			return err
		}
		rt.Remark = remarkToPerson
		status, err := foreground.Run(c.Context, rt, c.Args().First(), foreground.RunOptions{
			CreateOptions: createOptions(c),
			Detach:        c.Bool("detach"),
			Keep:          c.Bool("keep"),
			NoSubreaper:   c.Bool("no-subreaper"),
			NotifySocket:  notifySocket(),
		})
		if err == nil && status != 0 {
			return exitStatus(status)
		}
		return err
	},
}
