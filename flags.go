package main

import (
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
func (l *list) flag(name, short, usage string) cli.Flag {
	return listFlag{&cli.GenericFlag{Name: name, Usage: usage + "; may be repeated", Value: l}, short}
}

// alias is the flag with the short name.
func (l *list) alias(short string) cli.Flag {
	return &cli.GenericFlag{Name: short, Value: l, Hidden: true}
}

type listFlag struct {
	*cli.GenericFlag
	short string
}

// String is the line of the help.
func (f listFlag) String() string {
	line := f.GenericFlag.String()
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
