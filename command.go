package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// command is a command as it is written down, once: see flag.
type command struct {
	name, usage, description string
	arguments                []argument
	// shared are tables of flags that other commands have as well; they come first.
	shared [][]flag
	flags  []flag
	// passesOn says that what follows the first argument is for another program, with its flags.
	passesOn bool
	run      cli.ActionFunc
	// failure makes the error of the command of a mistake in its flags. nil leaves it as it is.
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
	// optional arguments may be left out; of the last one there may be more.
	optional, more bool
	completes      completion
}

// Arguments that several commands have.
var (
	newID      = []argument{{name: "ID"}}
	existingID = []argument{{name: "ID", completes: containers}}
)

// synopsis is how a usage names the arguments: "ID [SIGNAL]".
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

// commandNamed is the command with a name, or nil.
func commandNamed(name string) *command {
	for _, c := range commands {
		if c.name == name {
			return c
		}
	}
	return nil
}

// tables are all flags of the command.
func (c *command) tables() [][]flag { return append(slices.Clip(c.shared), c.flags) }

// flagNamed is the flag of the command with a name, or nil.
func (c *command) flagNamed(name string) *flag {
	for _, table := range c.tables() {
		if f := flagNamed(table, name); f != nil {
			return f
		}
	}
	return nil
}

// cli is the command for urfave/cli, ready to be called.
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
		// "h" and "help" are ids like others.
		HideHelpCommand: true,
		// Errors are reported in one place and in one line, without a page of help.
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

// listed is the command for the list of commands in the help.
func (c *command) listed() *cli.Command { return &cli.Command{Name: c.name, Usage: c.usage} }
