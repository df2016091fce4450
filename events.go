package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

var eventsCommand = command{
	name:      "events",
	usage:     "print resource usage and out-of-memory events of a container as JSON",
	arguments: existingID,
	description: "Each line is an object: of the type \"stats\" after each interval, of the type \"oom\" each\n" +
		"time the container runs out of memory. It ends when the container stops.",
	flags: []flag{
		{name: "interval", kind: duration, placeholder: "DURATION", usage: "print statistics every DURATION, like 500ms or 1m", def: "5s"},
		{name: "stats", kind: toggle, usage: "print statistics once and exit"},
	},
	run: func(c *cli.Context) error {
		container, err := containerOf(c)
		if err != nil {
			return err
		}
		interval := c.Duration("interval")
		if interval <= 0 {
			return fmt.Errorf("invalid --interval %s: want more than 0", interval)
		}
		emit := func(e libcontainer.Event) error {
			return libcontainer.WriteJSON(c.App.Writer, e, "")
		}
		if c.Bool("stats") {
			s, err := container.Stats()
			if err != nil {
				return err
			}
			return emit(libcontainer.Event{Type: "stats", ID: container.ID(), Data: s})
		}
		return container.Events(c.Context, interval, emit)
	},
}
