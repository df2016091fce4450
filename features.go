package main

import (
	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

var featuresCommand = command{
	name:  "features",
	usage: "print what this program supports as JSON",
	description: "The properties are those of the runtime specification (features.md). What the host can do makes no\n" +
		"difference, and no privileges are needed.",
	run: func(c *cli.Context) error {
		if err := checkArgs(c, 0, 0); err != nil {
			return err
		}
		f := libcontainer.Features()
		//allow:annotations of this program, not of a configuration
		f.Annotations[name+".version"], f.Annotations[name+".commit"] = c.App.Version, commit
		return writeJSON(c.App.Writer, f)
	},
}
