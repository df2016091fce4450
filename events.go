package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

var eventsCommand = &cli.Command{
	Name:      "events",
	Usage:     "print what a container uses, and when its memory runs out, as JSON",
	ArgsUsage: "ID",
	Description: "Each line is an object: of the type \"stats\" after each interval, of the type \"oom\" when a\n" +
		"process was to get memory beyond the limit. It ends when the container stops.",
	Flags: []cli.Flag{
		&cli.DurationFlag{Name: "interval", Usage: "print statistics every `DURATION`, like 500ms or 1m", Value: 5 * time.Second},
		&cli.BoolFlag{Name: "stats", Usage: "print statistics once, at once"},
	},
	Action: func(c *cli.Context) error {
		container, err := containerOf(c)
		if err != nil {
			return err
		}
		interval := c.Duration("interval")
		if interval <= 0 {
			return fmt.Errorf("--interval %s: it has to be more than 0", interval)
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
		return container.Events(interval, emit)
	},
}
