package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"coracle/libcontainer"
)

var killCommand = command{
	name:        "kill",
	usage:       "send a signal to a container, SIGTERM by default",
	arguments:   []argument{{name: "ID", completes: containers}, {name: "SIGNAL", optional: true, completes: signals}},
	description: "The signal is a number or a name, with or without SIG.",
	flags: []flag{
		{name: "all", short: "a", kind: toggle, usage: "send the signal to all processes of the container"},
	},
	run: func(c *cli.Context) error {
		if err := checkArgs(c, 1, 2); err != nil {
			return err
		}
		sig := unix.SIGTERM
		if c.NArg() == 2 {
			var err error
			if sig, err = parseSignal(c.Args().Get(1)); err != nil {
				return err
			}
		}
		rt, err := runtimeOf(c)
		if err != nil {
			return err
		}
		container := rt.Container(c.Args().First())
		if !c.Bool("all") {
			return container.Signal(c.Context, sig)
		}
		// Engines use this to clean up after the container has stopped.
		if err := container.SignalAll(c.Context, sig); !errors.Is(err, libcontainer.ErrNotRunning) {
			return err
		}
		return nil
	},
}

// The realtime signals that the C library does not use itself.
const sigrtmin, sigrtmax = 34, 64

// parseSignal parses a number or a name: 9, KILL, SIGKILL, RTMIN+3.
func parseSignal(s string) (unix.Signal, error) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil {
		if n > sigrtmax {
			return 0, fmt.Errorf("signal %q: numbers end at %d", s, sigrtmax)
		}
		return unix.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if n := unix.SignalNum("SIG" + name); n != 0 {
		return n, nil
	}
	for prefix, base := range map[string]int{"RTMIN": sigrtmin, "RTMAX": sigrtmax} {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		offset := 0
		if rest != "" {
			var err error
			//allow:atoi an offset, which has a sign
			if offset, err = strconv.Atoi(rest); err != nil {
				break
			}
		}
		if n := base + offset; n >= sigrtmin && n <= sigrtmax {
			return unix.Signal(n), nil
		}
	}
	return 0, fmt.Errorf("unknown signal %q", s)
}
