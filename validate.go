package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

var validateCommand = command{
	name:  "validate",
	usage: "check a bundle",
	description: "Prints everything that is wrong with the config.json of a bundle, with line and column. Errors\n" +
		"keep create from making a container, warnings do not. The exit status is 1 when there are\n" +
		"errors, and 0 otherwise. Nothing is done, and no privileges are needed.\n" +
		"\n" +
		"With --host the kernel is asked as well, by trials that leave nothing behind: for namespaces, controllers\n" +
		"of cgroups, file systems and their options, kernel parameters, limits, labels, sources of mounts.\n" +
		"The content of the image, and what hooks do, show only in a container.",
	shared: [][]flag{bundleFlags},
	flags: []flag{
		{name: "host", kind: toggle, usage: "also find what cannot work on this host, for this user"},
		{name: "json", kind: toggle, usage: "print JSON"},
		{name: "strict", kind: toggle, usage: "fail because of warnings too"},
	},
	run: func(c *cli.Context) error {
		rt, err := runtimeAlone(c)
		if err != nil {
			return err
		}
		inspection, err := rt.Validate(c.String("bundle"), c.String("config"), c.Bool("host"))
		if err != nil {
			return err
		}
		if c.Bool("json") {
			err = writeJSON(c.App.Writer, verdictOf(inspection))
		} else {
			err = writeFindings(c, inspection)
		}
		if err != nil {
			return err
		}
		return judge(inspection, c.Bool("strict"))
	},
}

// verdict is the JSON output of validate.
type verdict struct {
	Config   string           `json:"config"`
	Valid    bool             `json:"valid"`
	Findings []verdictFinding `json:"findings"`
}

type verdictFinding struct {
	Severity string `json:"severity"`
	// Property is the path as in all messages; Pointer is the same as a JSON Pointer (RFC 6901).
	Property string `json:"property"`
	Pointer  string `json:"pointer"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Message  string `json:"message"`
}

func severity(f libcontainer.Finding) string {
	if f.Warning {
		return "warning"
	}
	return "error"
}

func verdictOf(i *libcontainer.Inspection) verdict {
	v := verdict{Config: i.Config, Valid: i.Problems() == 0, Findings: []verdictFinding{}}
	for _, f := range i.Findings {
		v.Findings = append(v.Findings, verdictFinding{severity(f), f.Property, f.JSONPointer(), f.Line, f.Column, f.Text})
	}
	return v
}

// writeFindings writes a line for each finding in the format of compilers, which editors
// understand.
func writeFindings(c *cli.Context, i *libcontainer.Inspection) error {
	for _, f := range i.Findings {
		if _, err := fmt.Fprintf(c.App.Writer, "%s:%d:%d: %s: %s\n", i.Config, f.Line, f.Column, severity(f), f.Sentence()); err != nil {
			return err
		}
	}
	if len(i.Findings) > 0 {
		return nil
	}
	_, err := fmt.Fprintf(c.App.Writer, "%s is valid\n", i.Config)
	return err
}

// judge returns the error for the findings.
func judge(i *libcontainer.Inspection, strict bool) error {
	problems := i.Problems()
	warnings := len(i.Findings) - problems
	switch {
	case problems > 0:
		return fmt.Errorf("%s has %s and %s", i.Config, count(problems, "error"), count(warnings, "warning"))
	case strict && warnings > 0:
		return fmt.Errorf("%s has %s", i.Config, count(warnings, "warning"))
	}
	return nil
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
