package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// list is what a flag collects that can be given several times.
//
// A list with a long and a short name has a flag for each of them: urfave/cli refuses to
// mix the names of one flag, and runc does not.
type list struct{ values []string }

// Set adds a value, as it is.
func (l *list) Set(value string) error {
	l.values = append(l.values, value)
	return nil
}

func (l *list) String() string { return "" }

// flag is the flag with the long name. Its help mentions the short one, if there is one.
func (l *list) flag(name, short, usage string) standardFlag {
	return listFlag{&cli.GenericFlag{Name: name, Usage: usage, Value: l}, short}
}

// alias is the flag with the short name.
func (l *list) alias(short string) cli.Flag {
	return &cli.GenericFlag{Name: short, Value: l, Hidden: true}
}

type listFlag struct {
	*cli.GenericFlag
	short string
}

// Repeatable reports that the flag can be given several times, and its short name, if it has
// one.
func (f listFlag) Repeatable() (short string) { return f.short }

// String is the line of the help.
func (f listFlag) String() string {
	shown := *f.GenericFlag
	shown.Usage += "; may be repeated"
	line := shown.String()
	if f.short == "" {
		return line
	}
	name := "--" + f.Name
	return strings.Replace(line, name, name+", -"+f.short, 1)
}

// describeFlag is the line of a flag in the help, without defaults that go without saying.
func describeFlag(standard cli.FlagStringFunc) cli.FlagStringFunc {
	obvious := strings.NewReplacer(" (default: false)", "", " (default: 0)", "")
	return func(f cli.Flag) string { return obvious.Replace(standard(f)) }
}

// namedFlag is a flag that keeps its names. urfave/cli asks for those of every flag hundreds
// of times while it reads one command line, and the flags it comes with make them each time,
// with a regular expression: that took longer than everything else it does.
type namedFlag struct {
	standardFlag
	names  []string
	values values
}

// values are what shells complete the value of a flag to: a kind, or words.
type values struct {
	kind  string
	words []string
}

// directory is a flag whose value is the path of a directory.
func directory(f standardFlag) cli.Flag {
	return &namedFlag{standardFlag: f, values: values{kind: "directories"}}
}

// file is a flag whose value is the path of a file.
func file(f standardFlag) cli.Flag {
	return &namedFlag{standardFlag: f, values: values{kind: "files"}}
}

// capability is a flag whose value is the name of a capability.
func capability(f standardFlag) cli.Flag {
	return &namedFlag{standardFlag: f, values: values{kind: "capabilities"}}
}

// oneOf is a flag whose value is one of the words. The usage lists them too, for people.
func oneOf(f standardFlag, words ...string) cli.Flag {
	return &namedFlag{standardFlag: f, values: values{words: words}}
}

// standardFlag is what the flags of urfave/cli have in common. They also have actions,
// which this program has no use for.
type standardFlag interface {
	cli.DocGenerationFlag
	cli.VisibleFlag
	cli.RequiredFlag
	cli.CategorizableFlag
}

// Names makes the names when it is first asked for them.
func (f *namedFlag) Names() []string {
	if f.names == nil {
		f.names = slices.Clip(f.standardFlag.Names())
	}
	return f.names
}

// Completes is what shells complete the value to; see package docgen.
func (f *namedFlag) Completes() (kind string, words []string) { return f.values.kind, f.values.words }

// Unwrap is the flag itself.
func (f *namedFlag) Unwrap() cli.Flag { return f.standardFlag }

// named lets flags keep their names.
func named(flags ...cli.Flag) []cli.Flag {
	for i, f := range flags {
		if s, ok := f.(standardFlag); ok {
			if _, done := f.(*namedFlag); !done {
				flags[i] = &namedFlag{standardFlag: s}
			}
		}
	}
	return flags
}
