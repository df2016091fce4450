package main

import (
	"strings"

	"golang.org/x/sys/unix"

	"coracle/internal/docgen"
	"coracle/libcontainer"
)

// documented describes the program for its manual pages and completions. Commands never call it.
func documented() docgen.Program {
	p := docgen.Program{
		Name: name, Version: strings.TrimSpace(version), Usage: usage, Description: description,
		Flags: documentedFlags(globalFlags, []flag{helpFlag, versionFlag}),
	}
	for _, c := range commands {
		d := docgen.Command{
			Name: c.name, Usage: c.usage, Description: c.description, PassesOn: c.passesOn,
			Flags: documentedFlags(append(c.tables(), []flag{helpFlag})...),
		}
		for _, a := range c.arguments {
			d.Arguments = append(d.Arguments, docgen.Argument{Name: a.name, Optional: a.optional, More: a.more, Value: a.completes.value()})
		}
		p.Commands = append(p.Commands, d)
	}
	return p
}

func documentedFlags(tables ...[]flag) (flags []docgen.Flag) {
	for _, table := range tables {
		for i := range table {
			f := &table[i]
			if f.hidden {
				continue
			}
			d := docgen.Flag{
				Names: f.names(), Placeholder: f.placeholder, Usage: f.description(), Default: f.standard(), Repeatable: f.repeatable, Value: f.completes.value(),
			}
			if f.choices != nil {
				d.Value.Words = f.choices
			}
			flags = append(flags, d)
		}
	}
	return flags
}

// value returns what shell completions offer.
func (c completion) value() docgen.Value {
	switch c {
	case files:
		return docgen.Value{Kind: docgen.File}
	case directories:
		return docgen.Value{Kind: docgen.Directory}
	case containers:
		return docgen.Value{Kind: docgen.Container}
	case capabilities:
		return docgen.Value{Words: libcontainer.Features().Linux.Capabilities}
	case signals:
		return docgen.Value{Words: signalNames()}
	}
	return docgen.Value{}
}

// signalNames returns the names of the signals, without SIG.
func signalNames() (names []string) {
	for n := unix.Signal(1); n < 32; n++ {
		if name := unix.SignalName(n); name != "" {
			names = append(names, strings.TrimPrefix(name, "SIG"))
		}
	}
	return names
}
