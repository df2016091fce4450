package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// command describes a command in one place: see flag.
type command struct {
	name, usage, description string
	arguments                []argument
	// shared are tables of flags that several commands have; they come first.
	shared [][]flag
	flags  []flag
	// passesOn reports whether everything after the first argument, including flags, is for
	// another program.
	passesOn bool
	run      cli.ActionFunc
	// failure wraps an error about the flags of the command; nil leaves it as it is.
	failure func(error) error
}

// commands are all commands, in the order of the help.
var commands = []*command{
	&createCommand, &deleteCommand, &doctorCommand, &eventsCommand, &execCommand, &featuresCommand, &inspectCommand, &killCommand, &listCommand, &pauseCommand, &planCommand, &psCommand, &resumeCommand, &runCommand,
	&specCommand, &startCommand, &stateCommand, &updateCommand, &validateCommand,
}

// argument is an argument of a command.
type argument struct {
	name string
	// optional reports whether the argument may be left out; more reports whether it may be
	// repeated, as the last one.
	optional, more bool
	completes      completion
}

// Arguments of several commands.
var (
	newID      = []argument{{name: "ID"}}
	existingID = []argument{{name: "ID", completes: containers}}
)

// synopsis returns the arguments as in a usage line: "ID [SIGNAL]".
func (c *command) synopsis() string {
	var words []string
	for _, a := range c.arguments {
		word := a.name
		if a.more {
			word += "..."
		}
		if a.optional {
			word = "[" + word + "]"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// commandNamed returns the command with a name, or nil.
func commandNamed(name string) *command {
	for _, c := range commands {
		if c.name == name {
			return c
		}
	}
	return nil
}

// tables returns all flags of the command.
func (c *command) tables() [][]flag { return append(slices.Clip(c.shared), c.flags) }

// flagNamed returns the flag of the command with a name, or nil.
func (c *command) flagNamed(name string) *flag {
	for _, table := range c.tables() {
		if f := flagNamed(table, name); f != nil {
			return f
		}
	}
	return nil
}

// cli returns the command for urfave/cli.
func (c *command) cli() *cli.Command {
	arguments := c.synopsis()
	if arguments == "" {
		arguments = " " // without any, urfave/cli writes "[arguments...]"
	}
	fail := c.failure
	if fail == nil {
		fail = func(err error) error { return err }
	}
	return &cli.Command{
		Name:        c.name,
		Usage:       c.usage,
		ArgsUsage:   arguments,
		Description: c.description,
		Flags:       used(c.tables()...),
		// "h" and "help" are valid ids.
		HideHelpCommand: true,
		// Errors are reported in one place and in one line, without the help text.
		OnUsageError: func(ctx *cli.Context, err error, _ bool) error { return fail(usageError(ctx, err)) },
		Before: func(ctx *cli.Context) error {
			if err := checkFlags(ctx); err != nil {
				return fail(err)
			}
			return nil
		},
		Action: c.run,
	}
}

// listed returns the entry of the command in the help.
func (c *command) listed() *cli.Command { return &cli.Command{Name: c.name, Usage: c.usage} }
