// Package doctor finds out what a host can do for containers, for the user of this process.
//
// What can be tried without a trace is tried: a process that ends makes namespaces, mounts are
// made and never attached, and a thread that ends joins a keyring. The rest is read in /proc,
// /sys and /etc. Version numbers are shown but not evaluated, because distributions backport
// features.
package doctor

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/moby/sys/mountinfo"
)

// Status is the result of an examination.
type Status string

const (
	// OK: containers have everything that they can ask for.
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
	// Mend says how to fix it, and Commands are commands that do so, if there are any.
	Mend     string   `json:"mend,omitempty"`
	Commands []string `json:"commands,omitempty"`
}

// patient is what is examined, and for whom. Each method is named after a group of findings and
// adds them.
type patient struct {
	Options
	mounts    []*mountinfo.Info // of the host
	mountsErr error
	findings  []Finding
}

// Options describe for whom the host is examined.
type Options struct {
	// Root is the state root, such as /run/coracle.
	Root string
	// Privileged reports whether this process has CAP_SYS_ADMIN over the host's namespaces, or
	// those of its user namespace.
	Privileged bool
	// UID is the effective user id of this process.
	UID int
}

// Examine examines the host for this process.
func Examine(o Options) []Finding {
	p := &patient{Options: o}
	p.mounts, p.mountsErr = mountinfo.GetMounts(nil)
	for _, examine := range []func(){
		p.kernel, p.program, p.namespaces, p.propagation, p.mountAPI, p.hostMounts, p.idmapped, p.cgroups, p.systemd, p.seccomp, p.security,
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

// Worst returns the exit status for findings: 2 when no container can be created, 1 when
// something is degraded or missing, otherwise 0.
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

// Commands returns the commands that fix the findings, without duplicates, in the order of the
// findings.
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

// plural returns a number with its noun.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
