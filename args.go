package main

import (
	"slices"
	"strings"
)

// arrange finds the command that is called, nil when there is none. It moves flags that follow an
// argument of the command in front of it, where package flag expects them: "delete ID --force"
// becomes "delete --force ID". After the container of exec comes the command, so nothing is moved
// there. After the container of ps come options of ps(1), so only flags that ps(1) cannot mean
// are moved. After "--" there are no more flags.
func arrange(args []string) (*command, []string) {
	if len(args) == 0 {
		return nil, args
	}
	known := func(name string) *flag { return flagNamed(globalFlags, name) }
	at := 1 + flagsAtStart(known, args[1:])
	if at >= len(args) {
		return nil, args
	}
	if args[at] == "help" && at+1 < len(args) {
		if c := commandNamed(args[at+1]); c != nil {
			return c, append(slices.Clone(args[:at]), c.name, "--help")
		}
	}
	c := commandNamed(args[at])
	if c == nil {
		return nil, args
	}
	rest := args[at+1:]
	flags, others := c.flagsOf(rest)
	switch {
	case asksForHelp(c.flagNamed, flags):
		// urfave/cli reads an argument as a topic of the help.
		return c, append(slices.Clone(args[:at+1]), "--help")
	case slices.Equal(rest, slices.Concat(flags, others)) || slices.Contains(flags, "--"):
		return c, args
	}
	return c, slices.Concat(args[:at+1], flags, []string{"--"}, others)
}

// flagsOf separates the arguments after the name of a command into flags with their values, and
// other arguments. A "--" before all arguments is one of the flags.
func (c *command) flagsOf(args []string) (flags, others []string) {
	start := flagsAtStart(c.flagNamed, args)
	flags, args = slices.Clone(args[:start]), args[start:]
	if c == &execCommand || start > 0 && flags[start-1] == "--" {
		return flags, args
	}
	for n := 0; n < len(args); n++ {
		switch {
		case args[n] == "--":
			return flags, append(others, args[n+1:]...)
		case c == &psCommand && !isOurs(args[n:]), !looksLikeFlag(args[n]):
			others = append(others, args[n])
		default:
			flags = append(flags, args[n])
			if takesNext(c.flagNamed, args[n]) && n+1 < len(args) {
				n++
				flags = append(flags, args[n])
			}
		}
	}
	return flags, others
}

// flagsByName returns a flag of a command or of the program by name, nil for other names.
type flagsByName func(name string) *flag

// asksForHelp reports whether --help is among the flags.
func asksForHelp(known flagsByName, flags []string) bool {
	for n := 0; n < len(flags); n++ {
		switch flags[n] {
		case "-h", "-help", "--help", "--h":
			return true
		}
		if takesNext(known, flags[n]) {
			n++
		}
	}
	return false
}

// looksLikeFlag reports whether package flag parses an argument as a flag. "-" alone is a value:
// standard input.
func looksLikeFlag(arg string) bool { return len(arg) > 1 && arg[0] == '-' }

// isOurs reports whether an argument after the container of ps is a flag of this program. ps(1)
// has -f and --format, too, but no columns "json" or "table"; with --help it lists nothing.
func isOurs(args []string) bool {
	name, value, joined := strings.Cut(args[0], "=")
	switch name {
	case "--help":
		return !joined
	case "-f", "--format":
		if !joined && len(args) > 1 {
			value = args[1]
		}
		return value == "json" || value == "table"
	}
	return false
}

// flagsAtStart returns how many arguments at the start are flags, their values, and a "--" that
// ends them.
func flagsAtStart(known flagsByName, args []string) int {
	for n := 0; n < len(args); n++ {
		switch {
		case args[n] == "--":
			return n + 1
		case !looksLikeFlag(args[n]):
			return n
		case takesNext(known, args[n]):
			n++
		}
	}
	return len(args)
}

// takesNext reports whether the argument after a flag is its value.
func takesNext(known flagsByName, arg string) bool {
	if !looksLikeFlag(arg) {
		return false
	}
	name := strings.TrimPrefix(arg[1:], "-")
	if strings.Contains(name, "=") {
		return false
	}
	f := known(name)
	return f != nil && f.takesValue()
}
