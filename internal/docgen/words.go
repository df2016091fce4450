package docgen

import (
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"coracle/libcontainer"
)

// aChoice is how usages list the words that a value can be: "FORMAT, table or json",
// "MODE true, false or auto; ...".
var aChoice = regexp.MustCompile(`(?:^|[A-Z],? |, )((?:[a-z]+, )*[a-z]+ or [a-z]+)(?:$|[:;,])`)

// choices are the words that a usage lists.
func choices(usage string) []string {
	m := aChoice.FindStringSubmatch(usage)
	if m == nil {
		return nil
	}
	return strings.Split(strings.Replace(m[1], " or ", ", ", 1), ", ")
}

func capabilities() []string { return libcontainer.Features().Linux.Capabilities }

// signals are the names of the signals, without SIG.
func signals() (names []string) {
	for n := unix.Signal(1); n < 32; n++ {
		if name := unix.SignalName(n); name != "" {
			names = append(names, strings.TrimPrefix(name, "SIG"))
		}
	}
	return names
}
