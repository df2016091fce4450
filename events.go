package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

var eventsCommand = command{
	name:      "events",
	usage:     "print resource usage and out-of-memory events of a container as JSON",
	arguments: existingID,
	description: "Each line is an object: of the type \"stats\" after each interval, of the type \"oom\" each\n" +
		"time the container runs out of memory. It ends when the container stops.\n" +
		"\n" +
		"With --format openmetrics it prints the statistics once as text that Prometheus and others read,\n" +
		"with the names of cAdvisor.",
	flags: []flag{
		{name: "interval", kind: duration, placeholder: "DURATION", usage: "print statistics every DURATION, like 500ms or 1m", def: "5s"},
		{name: "stats", kind: toggle, usage: "print statistics once and exit"},
		{name: "format", placeholder: "FORMAT", usage: "format: JSON, or once the text of OpenMetrics", choices: []string{"json", "openmetrics"}, def: "json"},
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
		asMetrics := c.String("format") == "openmetrics"
		if asMetrics && c.IsSet("interval") {
			return errors.New("--format openmetrics prints once, so there is no --interval: whoever collects metrics calls again")
		}
		if c.Bool("stats") || asMetrics {
			s, err := container.Stats()
			if err != nil {
				return err
			}
			if asMetrics {
				_, err := io.WriteString(c.App.Writer, openMetrics(container.ID(), s))
				return err
			}
			return emit(libcontainer.Event{Type: "stats", ID: container.ID(), Data: s})
		}
		return container.Events(c.Context, interval, emit)
	},
}
