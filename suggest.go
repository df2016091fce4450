package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// usageError adds a suggestion to an error about an unknown flag.
func usageError(c *cli.Context, err error) error {
	// Package flag has no type for this error.
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err
	}
	name, _, _ = strings.Cut(name, "=")
	name = strings.TrimPrefix(name, "-")
	if c.Command.Name != c.App.Name && flagNamed(globalFlags, name) != nil {
		return fmt.Errorf("%w (%s goes before the command)", err, dashed(name))
	}
	if _, notSignal := parseSignal(name); c.Command.Name == killCommand.name && notSignal == nil {
		return fmt.Errorf("%w (the signal goes after the id, without a dash)", err)
	}
	var names []string
	for _, f := range usedFlags(c) {
		if !f.hidden {
			names = append(names, f.names()...)
		}
	}
	if near := nearest(name, names); near != "" {
		return fmt.Errorf("%w (did you mean %s?)", err, dashed(near))
	}
	return err
}

// commandLike returns the command that was probably meant by a name, or "".
func commandLike(name string) string {
	// Names in other programs.
	switch name {
	case "rm", "remove":
		return "delete"
	case "ls":
		return "list"
	case "stop", "signal":
		return "kill"
	case "inspect", "status":
		return "state"
	case "unpause":
		return "resume"
	case "top":
		return "ps"
	case "stats":
		return "events"
	case "version":
		return "--version"
	}
	var names []string
	for _, c := range commands {
		names = append(names, c.name)
	}
	return nearest(name, names)
}

// nearest returns the word that was probably meant: the only one that starts with typed, or the
// one with the fewest typing errors, if they are few. It is "" when there is none, or more than
// one.
func nearest(typed string, words []string) string {
	found, best := "", 1+min(2, (len(typed)-1)/2)
	for _, w := range words {
		distance := typingErrors(typed, w)
		if len(typed) > 1 && strings.HasPrefix(w, typed) {
			distance = 0
		}
		switch {
		case distance < best:
			found, best = w, distance
		case distance == best:
			found = ""
		}
	}
	return found
}

// typingErrors returns how many letters have to be inserted, removed, replaced or swapped with
// their neighbour to turn a into b.
func typingErrors(a, b string) int {
	// Row i has the distances between the first i letters of a and the prefixes of b.
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			row[j] = min(last[j], row[j-1]) + 1
			if a[i-1] == b[j-1] {
				row[j] = min(row[j], last[j-1])
			} else {
				row[j] = min(row[j], last[j-1]+1)
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
