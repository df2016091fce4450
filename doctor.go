package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

var doctorCommand = command{
	name:  "doctor",
	usage: "find out what this host can do for containers",
	description: "Examines the host for the user who calls it, by trying what can be tried without a trace. Each line\n" +
		"says ok, degraded or missing, what was found, what containers lack because of it, and how to mend it.\n" +
		"The exit status is 0 when all is well, 1 when something is degraded or missing, and 2 when no\n" +
		"container can be made. Nothing is changed.\n" +
		"\n" +
		"With --cleanup it lists what containers that have ended, and commands that were killed, have left\n" +
		"below --root; with --force as well it removes that, as \"delete --force\" does. An engine may still\n" +
		"want to delete a container that has just ended.",
	flags: []flag{
		{name: "json", kind: toggle, usage: "print JSON"},
		{name: "fix-hints", kind: toggle, usage: "print only the commands that mend what was found"},
		{name: "engine", placeholder: "ENGINE", usage: "also examine the configuration of an engine", choices: []string{"containerd", "docker", "podman", "crio", "buildkit"}, repeatable: true},
		{name: "cleanup", kind: toggle, usage: "list what is left of containers, and do nothing else"},
		{name: "force", kind: toggle, usage: "with --cleanup: remove what is left"},
	},
	run: func(c *cli.Context) error {
		rt, err := runtimeAlone(c)
		if err != nil {
			return err
		}
		switch {
		case c.Bool("cleanup"):
			return cleanUp(c, rt)
		case c.Bool("force"):
			return fmt.Errorf("--force needs --cleanup: doctor changes nothing of the host")
		}
		findings := rt.Examine()
		for _, e := range repeated(c, "engine") {
			program, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find the path of this program: %w", err)
			}
			findings = append(findings, libcontainer.ExamineEngine(e, program, "/")...)
		}
		if err := writeHealth(c, rt, findings); err != nil {
			return err
		}
		if status := libcontainer.HealthExit(findings); status != 0 {
			return exitStatus(status)
		}
		return nil
	},
}

// health is the JSON output of doctor.
type health struct {
	Version  string                       `json:"version"`
	UID      int                          `json:"uid"`
	Root     string                       `json:"root"`
	Exit     int                          `json:"exit"`
	Findings []libcontainer.HealthFinding `json:"findings"`
	// Leftovers are what containers have left behind below the root.
	Leftovers []libcontainer.Leftover `json:"leftovers"`
}

// writeHealth prints the findings in the format of the flags.
func writeHealth(c *cli.Context, rt *libcontainer.Runtime, findings []libcontainer.HealthFinding) error {
	w := c.App.Writer
	if c.Bool("fix-hints") {
		for _, command := range libcontainer.HealthCommands(findings) {
			if _, err := fmt.Fprintln(w, command); err != nil {
				return err
			}
		}
		return nil
	}
	left, err := rt.Leftovers()
	if err != nil {
		warn(err.Error()) // the host is examined anyway
	}
	if c.Bool("json") {
		h := health{Version: c.App.Version, UID: os.Geteuid(), Root: rt.Root, Exit: libcontainer.HealthExit(findings), Findings: findings, Leftovers: left}
		if h.Leftovers == nil {
			h.Leftovers = []libcontainer.Leftover{}
		}
		return writeJSON(w, h)
	}
	return writeHealthText(w, findings, left)
}

// writeHealthText writes a line for each finding, followed by its effect and the remedy.
func writeHealthText(w io.Writer, findings []libcontainer.HealthFinding, left []libcontainer.Leftover) error {
	width := 0
	for _, f := range findings {
		width = max(width, len(f.Name))
	}
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%-8s  %-*s  %s\n", f.Status, width, f.Name, printable(f.Found))
		if f.Cost != "" {
			fmt.Fprintf(&b, "%10s%-*s  costs: %s\n", "", width, "", f.Cost)
		}
		if f.Mend != "" {
			fmt.Fprintf(&b, "%10s%-*s  mend:  %s\n", "", width, "", printable(f.Mend))
		}
		for _, command := range f.Commands {
			fmt.Fprintf(&b, "%10s%-*s         %s\n", "", width, "", command)
		}
	}
	if len(left) > 0 {
		fmt.Fprintf(&b, "\n%s left of containers (coracle doctor --cleanup lists what)\n", count(len(left), "record"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cleanUp lists what containers have left behind and, if asked to, removes it.
func cleanUp(c *cli.Context, rt *libcontainer.Runtime) error {
	left, err := rt.Leftovers()
	if err != nil {
		return err
	}
	if c.Bool("json") && !c.Bool("force") {
		if left == nil {
			left = []libcontainer.Leftover{}
		}
		return writeJSON(c.App.Writer, left)
	}
	failed := 0
	for _, l := range left {
		done := ""
		if c.Bool("force") {
			switch {
			case !l.Removable:
				failed++
				done = "stays: "
			default:
				if err := rt.ForceDelete(c.Context, l.ID); err != nil {
					failed++
					done = "not removed: " + printable(err.Error()) + ": "
				} else {
					done = "removed: "
				}
			}
		}
		if _, err := fmt.Fprintf(c.App.Writer, "%s  %s%s\n", l.ID, done, printable(l.Why)); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%s of %d could not be removed", count(failed, "record"), len(left))
	}
	return nil
}
