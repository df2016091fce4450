// Package doctor finds out what a host can do for containers, for the user of this process.
//
// What can be tried without a trace is tried: namespaces are made by a process that ends,
// mounts are made and never attached, a key ring is joined by a thread that ends. What cannot
// be tried without a trace is looked at in /proc, /sys and /etc. Version numbers are shown
// and never judged: distributions move features between versions.
package doctor

import (
	"cmp"
	"fmt"
	"slices"
)

// Status is what an examination found.
type Status string

const (
	// OK: everything that containers can ask for is there.
	OK Status = "ok"
	// Degraded: it works in part; Cost says what does not.
	Degraded Status = "degraded"
	// Missing: it is not there.
	Missing Status = "missing"
)

// Finding is the result of one examination.
type Finding struct {
	// Name is stable: "namespaces.user".
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Required reports whether no container at all can be made while this is missing.
	Required bool `json:"required,omitempty"`
	// Found is what was seen, in one line.
	Found string `json:"found"`
	// Cost is what containers lack because of it; empty for OK.
	Cost string `json:"cost,omitempty"`
	// Mend says how to change it, and Commands are commands that do so, where there are any.
	Mend     string   `json:"mend,omitempty"`
	Commands []string `json:"commands,omitempty"`
}

// patient is who and what is examined. Its methods named after groups of findings add these.
type patient struct {
	uid        int
	privileged bool // has CAP_SYS_ADMIN over the host's namespaces, or those of its user namespace
	root       string
	findings   []Finding
}

// Options say for whom the host is examined.
type Options struct {
	// Root is the state root, such as /run/coracle.
	Root string
	// Privileged reports whether this process has CAP_SYS_ADMIN.
	Privileged bool
	// UID is the effective user id of this process.
	UID int
}

// Examine examines the host for this process.
func Examine(o Options) []Finding {
	p := &patient{uid: o.UID, privileged: o.Privileged, root: o.Root}
	for _, examine := range []func(){
		p.kernel, p.program, p.namespaces, p.propagation, p.mounts, p.idmapped, p.cgroups, p.systemd, p.seccomp, p.security,
		p.keyrings, p.limits, p.subordinate, p.filesystems, p.stateRoot, p.criu,
	} {
		examine()
	}
	return p.findings
}

// add adds a finding.
func (p *patient) add(f Finding) {
	f.Status = cmp.Or(f.Status, OK)
	p.findings = append(p.findings, f)
}

// Worst is the exit status of findings: 2 when no container can be made, 1 when something is
// degraded or missing, otherwise 0.
func Worst(findings []Finding) int {
	worst := 0
	for _, f := range findings {
		switch {
		case f.Status == Missing && f.Required:
			return 2
		case f.Status != OK:
			worst = 1
		}
	}
	return worst
}

// Count counts the findings with a status.
func Count(findings []Finding, s Status) (n int) {
	for _, f := range findings {
		if f.Status == s {
			n++
		}
	}
	return n
}

// Commands are the commands that mend what was found, each once, in the order of the findings.
func Commands(findings []Finding) (commands []string) {
	for _, f := range findings {
		for _, c := range f.Commands {
			if !slices.Contains(commands, c) {
				commands = append(commands, c)
			}
		}
	}
	return commands
}

// plural is a number with its noun.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
