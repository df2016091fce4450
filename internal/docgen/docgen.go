// Package docgen writes the manual pages and the completions of shells from a description of
// a program, which is made from the same tables of commands and flags as --help.
//
// It is not a part of the program: `make docs` runs it (generate.go), so that the start of
// a command costs nothing more.
package docgen

// Program is what is documented.
type Program struct {
	Name, Version, Usage, Description string
	Flags                             []Flag // those that go before the command
	Commands                          []Command
}

// Command is a command of the program.
type Command struct {
	Name, Usage, Description string
	Arguments                []Argument
	Flags                    []Flag
	// PassesOn says that what follows the first argument is for another program, with its
	// flags.
	PassesOn bool
}

// Argument is an argument of a command.
type Argument struct {
	Name string
	// Optional arguments may be left out; with More there may be several of them.
	Optional, More bool
	Value          Value
}

// Flag is a flag.
type Flag struct {
	Names       []string // without dashes, the long one first
	Placeholder string   // of the value, "" for a switch
	Usage       string
	Default     string // "" when there is none to tell
	Repeatable  bool
	Value       Value
}

// Value is what a value can be, for completions. The zero value is any text.
type Value struct {
	Words []string
	Kind  Kind
}

// Kind is the kind of what a value names.
type Kind int

const (
	Text Kind = iota
	File
	Directory
	Container // the id of one that exists
)

// Files gives the content of all files by their names: the pages in man/, and the
// completions with the names that the shells want. date is that of the pages, like
// 2026-11-24.
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

// dashed is a name with its dashes.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// passingOn are the names of the commands that pass arguments on.
func (p Program) passingOn() (names []string) {
	for _, c := range p.Commands {
		if c.PassesOn {
			names = append(names, c.Name)
		}
	}
	return names
}
