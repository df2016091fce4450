package docgen

import (
	"strings"
	"testing"
)

func sample() Program {
	help := Flag{Names: []string{"help", "h"}, Usage: "show help"}
	return Program{
		Name: "sample", Version: "1.2", Usage: "show how it's done",
		Flags: []Flag{
			{Names: []string{"prose"}, Placeholder: "WORD", Usage: "WORD, this or that"},
			{Names: []string{"log-format"}, Placeholder: "FORMAT", Usage: "FORMAT of the log", Default: "text", Value: Value{Words: []string{"text", "json"}}},
			help,
		},
		Commands: []Command{
			{
				Name: "kill", Usage: "send a [signal]", Description: ".dot at the start\nback\\slash",
				Arguments: []Argument{{Name: "ID", Value: Value{Kind: Container}}, {Name: "SIGNAL", Optional: true, Value: Value{Words: []string{"HUP", "INT"}}}},
				Flags: []Flag{
					{Names: []string{"env", "e"}, Placeholder: "NAME=VALUE", Usage: "add NAME=VALUE", Repeatable: true},
					{Names: []string{"dir"}, Placeholder: "DIR", Usage: "in DIR", Default: "the current directory", Value: Value{Kind: Directory}},
					help,
				},
			},
			{Name: "pass", Usage: "pass on", Arguments: []Argument{{Name: "ID"}, {Name: "ARG", Optional: true, More: true}}, PassesOn: true, Flags: []Flag{help}},
		},
	}
}

func TestFiles(t *testing.T) {
	files := Files(sample(), "2026-11-24")
	for name, texts := range map[string][]string{
		"man/sample.1": {`.TH "SAMPLE" 1 "2026\-11\-24" "sample 1.2"`, `sample \- show how it\(aqs done`, `\fB\-\-log\-format\fR \fIFORMAT\fR`, "Default: text."},
		"man/sample-kill.1": {
			`\fBkill\fR [\fIOPTION\fR]... \fIID\fR [\fISIGNAL\fR]`, `\&.dot at the start`, `back\eslash`,
			`\fB\-\-env\fR \fINAME=VALUE\fR, \fB\-e\fR \fINAME=VALUE\fR`, "May be given several times.", "Default: the current directory.",
		},
		"man/sample-pass.1": {`\fBpass\fR \fIID\fR [\fIARG\fR...]`},
		"sample.bash":       {`"kill --env" | "kill -e" | "kill --dir"`, `compgen -W "text json"`, `words='--env -e --dir --help -h'`, `"kill 0") words=$(_sample_ids)`, `"kill 1") words='HUP INT'`},
		"_sample":           {`'kill:send a [signal]'`, `'*--env=[add NAME=VALUE]:NAME=VALUE:'`, `'*-e[add NAME=VALUE]:NAME=VALUE:'`, `'--dir=[in DIR]:DIR:_files -/'`, `'1:container:_sample_ids'`, `'2:signal:(HUP INT)'`, `_arguments -S -A '-*'`, `'--prose=[WORD, this or that]:WORD:'`},
		"sample.fish":       {`-s e -x -d 'add NAME=VALUE'`, `-l dir -x -a '(__fish_complete_directories)'`, `'__sample_at kill 1' -a '(__sample_ids)'`, `'__sample_at kill 2' -a 'HUP INT'`},
	} {
		for _, text := range texts {
			if !strings.Contains(files[name], text) {
				t.Errorf("%s has no %s:\n%s", name, text, files[name])
			}
		}
	}
}
