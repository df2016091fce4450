// Package docgen writes the manual pages and the completions of shells from the same
// definitions of commands and flags that --help shows.
//
// It is not a part of the program: `make docs` runs it (generate.go), so that the start of
// a command costs nothing more.
package docgen

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"coracle/libcontainer"
)

// Files gives the content of all files by their names: the pages in man/, and the
// completions with the names that the shells want. date is that of the pages, like
// 2026-11-24.
func Files(app *cli.App, date string) map[string]string {
	p := programOf(app)
	files := map[string]string{
		p.name + ".bash":       bash(p),
		"_" + p.name:           zsh(p),
		p.name + ".fish":       fish(p),
		"man/" + p.name + ".1": programPage(p, date),
	}
	for _, c := range p.commands {
		files["man/"+p.name+"-"+c.name+".1"] = commandPage(p, c, date)
	}
	return files
}

// program is what a cli.App defines, in the words of this package.
type program struct {
	name, version, usage, description string
	flags                             []option
	commands                          []command
}

type command struct {
	name, usage, description string
	arguments                []string // like ID, [SIGNAL], [ARG...]
	flags                    []option
}

// option is a flag.
type option struct {
	names       []string // without dashes, the long one first
	placeholder string   // of the value, "" for a switch
	usage       string
	standard    string // the default, "" when there is none to tell
	repeated    bool
	kind        string   // of the values: directories, files
	words       []string // the values, where they are known
}

func programOf(app *cli.App) program {
	p := program{name: app.Name, version: app.Version, usage: app.Usage, description: app.Description, flags: options(app.VisibleFlags())}
	p.flags = append(p.flags, help, option{names: []string{"version", "v"}, usage: "print the version"})
	for _, c := range app.VisibleCommands() {
		p.commands = append(p.commands, command{
			name: c.Name, usage: c.Usage, description: c.Description, arguments: strings.Fields(c.ArgsUsage), flags: append(options(c.VisibleFlags()), help),
		})
	}
	return p
}

var help = option{names: []string{"help", "h"}, usage: "show help"}

func options(flags []cli.Flag) (options []option) {
	for _, f := range flags {
		d, ok := f.(cli.DocGenerationFlag)
		if !ok || f.Names()[0] == "help" || f.Names()[0] == "version" {
			continue
		}
		o := option{names: f.Names(), usage: d.GetUsage()}
		if d.TakesValue() {
			// The part of the usage in backquotes names the value.
			before, rest, found := strings.Cut(o.usage, "`")
			name, after, _ := strings.Cut(rest, "`")
			o.placeholder = "VALUE"
			if found {
				o.placeholder, o.usage = name, before+name+after
			}
			if text := strings.Trim(d.GetDefaultText(), `"`); text != "" && text != "0" {
				o.standard = text
			}
			o.complete(f)
		}
		if r, ok := unwrapped(f).(repeatable); ok {
			o.repeated = true
			if short := r.Repeatable(); short != "" {
				o.names = append(slices.Clip(o.names), short)
			}
		}
		options = append(options, o)
	}
	return options
}

// repeatable is a flag that can be given several times. Its short name, if it has one, is
// not among its names.
type repeatable interface{ Repeatable() (short string) }

// unwrapped is the flag that another one stands for.
func unwrapped(f cli.Flag) cli.Flag {
	if w, ok := f.(interface{ Unwrap() cli.Flag }); ok {
		return w.Unwrap()
	}
	return f
}

// dashed is a name with its dashes.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// The kinds of values that [completed] flags have.
const (
	directories    = "directories"
	files          = "files"
	capabilityName = "capabilities"
)

// completed is a flag that knows what its value can be: a kind, or words. Both are empty when
// that is free.
type completed interface {
	Completes() (kind string, words []string)
}

// complete sets what completes the value of an option.
func (o *option) complete(f cli.Flag) {
	if c, ok := f.(completed); ok {
		o.kind, o.words = c.Completes()
	}
	switch o.kind {
	case "", directories, files:
	case capabilityName:
		o.words = libcontainer.Features().Linux.Capabilities
	default:
		panic("docgen: no kind of values " + o.kind)
	}
}

// takesID tells whether the first argument of a command is a container that exists.
func (c command) takesID() bool {
	switch c.name {
	case "create", "run", "plan":
		return false
	}
	return len(c.arguments) > 0 && c.arguments[0] == "ID"
}

// passesOn reports whether what follows the first argument is for another program, with its
// options: it is the last one that can be repeated.
func (c command) passesOn() bool {
	return len(c.arguments) > 1 && strings.HasSuffix(c.arguments[len(c.arguments)-1], "...]")
}

// passingOn are the names of the commands that pass arguments on.
func (p program) passingOn() (names []string) {
	for _, c := range p.commands {
		if c.passesOn() {
			names = append(names, c.name)
		}
	}
	return names
}

// takesSignal tells whether the second argument is a signal.
func (c command) takesSignal() bool {
	return len(c.arguments) > 1 && c.arguments[1] == "[SIGNAL]"
}

// signals are the names of the signals, without SIG.
func signals() (names []string) {
	for n := unix.Signal(1); n < 32; n++ {
		if name := unix.SignalName(n); name != "" {
			names = append(names, strings.TrimPrefix(name, "SIG"))
		}
	}
	return names
}
