package main

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

var psCommand = command{
	name:      "ps",
	usage:     "list the processes of a container",
	arguments: []argument{{name: "ID", completes: containers}, {name: "PS-OPTION", optional: true, more: true}},
	passesOn:  true,
	description: "The table is that of ps(1) with the given options, or with -ef. It needs its column PID. The\n" +
		"process ids are those of the host. With --format json it prints an array of them instead, without ps(1).",
	flags: []flag{
		{name: "format", short: "f", placeholder: "FORMAT", usage: "output format", choices: []string{"table", "json"}, def: "table"},
	},
	run: func(c *cli.Context) error {
		if c.NArg() < 1 {
			return checkArgs(c, 1, 1)
		}
		rt, err := runtimeOf(c)
		if err != nil {
			return err
		}
		container := rt.Container(c.Args().First())
		pids, err := container.Pids()
		if err != nil {
			return err
		}
		if c.String("format") == "json" {
			return writeJSON(c.App.Writer, pids)
		}
		options := c.Args().Slice()[1:]
		if len(options) == 0 {
			options = []string{"-ef"}
		}
		//allow:exec the caller's own ps, with the caller's privileges and PATH
		out, err := exec.Command("ps", options...).Output()
		if err != nil {
			return psFailure(options, err)
		}
		return filterPs(c.App.Writer, string(out), pids)
	},
}

// psFailure returns the failure of ps as one line.
func psFailure(options []string, err error) error {
	var status *exec.ExitError
	if errors.As(err, &status) {
		if first, _, _ := strings.Cut(strings.TrimSpace(string(status.Stderr)), "\n"); first != "" {
			return fmt.Errorf("ps %s: %s", strings.Join(options, " "), first)
		}
	}
	return fmt.Errorf("ps %s: %w (--format json does without ps)", strings.Join(options, " "), err)
}

// filterPs writes the title of the output of ps, and the lines about processes of the container.
// The column PID may be anywhere, but not after a column with blanks.
func filterPs(w io.Writer, table string, pids []int) error {
	title, rest, _ := strings.Cut(table, "\n")
	column := slices.Index(strings.Fields(title), "PID")
	if column < 0 {
		return fmt.Errorf("ps output has no PID column (header %q)", strings.TrimSpace(title))
	}
	var out strings.Builder
	out.WriteString(title + "\n")
	for line := range strings.Lines(rest) {
		fields := strings.Fields(line)
		if len(fields) <= column {
			continue
		}
		//allow:atoi only compared with the pids of the container
		pid, err := strconv.Atoi(fields[column])
		if err != nil {
			return fmt.Errorf("ps: the PID column has %q, which is not a process id", fields[column])
		}
		if slices.Contains(pids, pid) {
			out.WriteString(line)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}
