package main

import (
	"slices"
	"strings"
	"testing"
)

func TestArrange(t *testing.T) {
	for typed, want := range map[string]string{
		"":                                   "",
		"--version":                          "",
		"delete a":                           "",
		"delete --force a":                   "",
		"delete a --force":                   "delete --force -- a",
		"delete a -f=true":                   "delete -f=true -- a",
		"--root x --debug delete a -force":   "--root x --debug delete -force -- a",
		"--root=x --bogus delete a --force":  "--root=x --bogus delete --force -- a",
		"-- delete a --force":                "-- delete --force -- a",
		"delete -- --force":                  "",
		"delete a -- --force":                "delete -- a --force",
		"create --bundle /x a":               "",
		"create a --bundle /x --pid-file -p": "create --bundle /x --pid-file -p -- a",
		"create --no-pivot a b -b x":         "create --no-pivot -b x -- a b",
		"create a --bundle":                  "create --bundle -- a",
		"kill a KILL --all":                  "kill --all -- a KILL",
		"kill a --all KILL":                  "kill --all -- a KILL",
		"update a --pids-limit -1":           "update --pids-limit -1 -- a",
		"update -r - a":                      "",
		"update a -r -":                      "update -r - -- a",
		"update a -":                         "",
		"delete a --bogus":                   "delete --bogus -- a",
		"run a -d sh":                        "run -d -- a sh",
		"exec a ls -l":                       "",
		"exec -t a ls --tty -- x":            "",
		"exec --user 1 a -t":                 "",
		"ps a -ef":                           "",
		"ps a -o pid,comm":                   "",
		"ps a -- -o pid":                     "ps -- a -o pid",
		"ps a -f json":                       "ps -f json -- a",
		"ps a --format=json":                 "ps --format=json -- a",
		"ps a --format pid":                  "",
		"ps a -f":                            "",
		"ps a -- -f json":                    "ps -- a -f json",
		"ps -f json a":                       "",
		"delete a --help":                    "delete --help",
		"delete --help a":                    "delete --help",
		"exec -h a b":                        "exec --help",
		"exec a -h":                          "",
		"exec --cwd -h a":                    "",
		"ps a --help":                        "ps --help",
		"bogus a --force":                    "",
		"help delete":                        "delete --help",
		"--debug help delete x":              "--debug delete --help",
		"help bogus":                         "",
		"help":                               "",
		"-h delete":                          "",
	} {
		args := strings.Fields("coracle " + typed)
		if want == "" {
			want = typed
		}
		_, got := arrange(slices.Clone(args))
		if got := strings.Join(got[1:], " "); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
