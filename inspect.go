package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

var inspectCommand = command{
	name:  "inspect",
	usage: "show what a running container is",
	description: "Shows what the kernel says of a container now: its namespaces and whom it shares them with, mounts,\n" +
		"capabilities, what its seccomp profile allows, its label, the limits in force, devices, open files,\n" +
		"the hooks that ran, and where that differs from its configuration. Nothing is changed.",
	arguments: existingID,
	flags: []flag{
		{name: "format", short: "f", placeholder: "FORMAT", usage: "format of the report", choices: []string{"text", "json"}, def: "text"},
	},
	run: func(c *cli.Context) error {
		container, err := containerOf(c)
		if err != nil {
			return err
		}
		report, err := container.Inspect()
		if err != nil {
			return err
		}
		if c.String("format") == "json" {
			return writeJSON(c.App.Writer, report)
		}
		_, err = c.App.Writer.Write([]byte(inspectText(report)))
		return err
	},
}

// inspectText returns the report as text. Texts that processes of the container can choose are
// made printable.
func inspectText(r *libcontainer.Report) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s %s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	p := &r.Process
	line("id", "%s", r.ID)
	line("status", "%s, since %s", r.Status, r.Created)
	line("bundle", "%s", r.Bundle)
	line("process", "%d %s, %s", p.Pid, p.Command, count(p.Threads, "thread"))
	line("user", "uid %d, gid %d, groups %s", p.UIDs[1], p.GIDs[1], orNone(strings.Trim(fmt.Sprint(p.Groups), "[]")))
	for _, set := range []string{"effective", "permitted", "inheritable", "ambient", "bounding"} {
		line("capabilities", "%s: %s", set, orNone(strings.Join(p.Capabilities[set], " ")))
	}
	line("no new privs", "%t", p.NoNewPrivs)
	line("oom score", "%d", p.OOMScoreAdj)
	line("label", "%s", orNone(r.Label))
	line("seccomp", "%s, %s", r.Seccomp.Mode, count(r.Seccomp.Filters, "filter"))
	for _, action := range slices.Sorted(maps.Keys(r.Seccomp.Calls)) {
		calls := r.Seccomp.Calls[action]
		line("", "%s: %s: %s", action, count(len(calls), "call"), strings.Join(calls, " "))
	}
	b.WriteString("\nnamespaces\n")
	for _, n := range r.Namespaces {
		shared := "its own"
		if len(n.Shared) > 0 {
			shared = "shared with " + strings.Join(n.Shared, ", ")
		}
		line("  "+string(n.Type), "%d  %s", n.Inode, shared)
	}
	b.WriteString("\nmounts\n")
	for _, m := range r.Mounts {
		fmt.Fprintf(&b, "  %s\n", printable(fmt.Sprintf("%s  %s of %s, %s, %s", m.Destination, m.Type, orNone(m.Source), m.Options, m.Propagation)))
	}
	b.WriteString("\nlimits\n")
	for _, l := range r.Limits {
		fmt.Fprintf(&b, "  %s  %s\n", l.File, printable(l.Value))
	}
	writeSection(&b, "devices", r.Devices)
	b.WriteString("\nopen files\n")
	for _, f := range r.Files {
		fmt.Fprintf(&b, "  %-3d %s\n", f.FD, printable(f.Path))
	}
	var hooks, differences []string
	for _, h := range r.Hooks {
		ran := "has not run"
		if h.Ran {
			ran = "ran"
		}
		hooks = append(hooks, fmt.Sprintf("%s %s  %s", h.Kind, h.Path, ran))
	}
	writeSection(&b, "hooks", hooks)
	for _, d := range r.Differences {
		differences = append(differences, fmt.Sprintf("%s: configured %s, now %s", d.Property, d.Configured, d.Now))
	}
	writeSection(&b, "differences from the configuration", differences)
	return b.String()
}

// writeSection writes a heading and lines below it.
func writeSection(b *strings.Builder, heading string, lines []string) {
	fmt.Fprintf(b, "\n%s\n", heading)
	for _, l := range lines {
		fmt.Fprintf(b, "  %s\n", printable(l))
	}
	if len(lines) == 0 {
		b.WriteString("  none\n")
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
