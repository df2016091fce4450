package main

import (
	"errors"

	"github.com/urfave/cli/v2"
)

var planCommand = command{
	name:        "plan",
	usage:       "show what would be done to create a container",
	arguments:   []argument{{name: "ID", optional: true}},
	description: "Prints the init program that a bundle compiles to: each step with its system calls and\nthe part of config.json that it comes from. Nothing is done, and no privileges are needed.",
	shared:      [][]flag{bundleFlags, createFlags},
	flags: []flag{
		{name: "json", kind: toggle, usage: "print JSON"},
		{name: "brief", kind: toggle, usage: "print the steps without their system calls"},
	},
	run: func(c *cli.Context) error {
		if err := checkArgs(c, 0, 1); err != nil {
			return err
		}
		id := "ID"
		if c.NArg() == 1 {
			id = c.Args().First()
		}
		rt, err := runtimeOf(c)
		if err != nil {
			return err
		}
		rt.TimerSlack = 0 // the plan does not show what only this process asks for
		if c.Bool("json") && c.Bool("brief") {
			return errors.New("plan: --json and --brief exclude each other")
		}
		plan, err := rt.Plan(id, createOptions(c))
		if err != nil {
			return err
		}
		if c.Bool("json") {
			return writeJSON(c.App.Writer, plan)
		}
		if c.Bool("brief") {
			return plan.WriteBrief(c.App.Writer)
		}
		_, err = plan.WriteTo(c.App.Writer)
		return err
	},
}
