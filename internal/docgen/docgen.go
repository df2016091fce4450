// Package docgen writes the manual pages and the shell completions from a description of a
// program, which is made from the same tables of commands and flags as --help.
//
// The program does not contain it: `make docs` runs it (generate.go), so it does not slow down
// the start of a command.
package docgen

// Program is the program to document.
type Program struct {
	Name, Version, Usage, Description string
	Flags                             []Flag // before the command
	Commands                          []Command
}

// Command is a command of the program.
type Command struct {
	Name, Usage, Description string
	Arguments                []Argument
	Flags                    []Flag
	// PassesOn reports whether everything after the first argument, including flags, is for
	// another program.
	PassesOn bool
}

// Argument is an argument of a command.
type Argument struct {
	Name string
	// Optional reports whether the argument may be left out, More whether it may be repeated.
	Optional, More bool
	Value          Value
}

// Flag is a flag.
type Flag struct {
	Names       []string // without dashes, the long name first
	Placeholder string   // of the value; empty for a switch
	Usage       string
	Default     string // empty when there is none to show
	Repeatable  bool
	Value       Value
}

// Value is the set of possible values, for completions. The zero value means any text.
type Value struct {
	Words []string
	Kind  Kind
}

// Kind is the kind of object that a value names.
type Kind int

const (
	Text Kind = iota
	File
	Directory
	Container // the id of an existing container
)

// Files returns the content of all files by name: the pages in man/, and the completions, named
// as the shells expect. date is the date of the pages, like 2026-11-24.
func Files(p Program, date string) map[string]string {
	files := map[string]string{
		p.Name + ".bash":       bash(p),
		"_" + p.Name:           zsh(p),
		p.Name + ".fish":       fish(p),
		"man/" + p.Name + ".1": programPage(p, date),
	}
	for _, c := range p.Commands {
		files["man/"+p.Name+"-"+c.Name+".1"] = commandPage(p, c, date)
	}
	return files
}

// dashed returns a name with its dashes.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// passingOn returns the names of the commands that pass arguments to another program.
func (p Program) passingOn() (names []string) {
	for _, c := range p.Commands {
		if c.PassesOn {
			names = append(names, c.Name)
		}
	}
	return names
}
