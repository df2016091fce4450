package docgen

import (
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// several is a flag that can be given several times, behind a wrapper.
type several struct {
	*cli.StringFlag
	short string
}

func (s several) Repeatable() string { return s.short }

type wrapper struct {
	cli.DocGenerationFlag
	kind  string
	words []string
}

func (w wrapper) Unwrap() cli.Flag { return w.DocGenerationFlag }

func (w wrapper) Completes() (kind string, words []string) { return w.kind, w.words }

func (w wrapper) IsVisible() bool { return true }

func sample() *cli.App {
	app := cli.NewApp()
	app.Name, app.Version, app.Usage = "sample", "1.2", "show how it's done"
	app.Flags = []cli.Flag{
		wrapper{&cli.StringFlag{Name: "log-format", Usage: "`FORMAT` of the log", Value: "text"}, "", []string{"text", "json"}},
		&cli.StringFlag{Name: "prose", Usage: "`WORD`, this or that"},
		&cli.BoolFlag{Name: "secret", Hidden: true},
	}
	app.Commands = []*cli.Command{
		{Name: "kill", Usage: "send a [signal]", ArgsUsage: "ID [SIGNAL]", Description: ".dot at the start\nback\\slash", Flags: []cli.Flag{
			wrapper{several{&cli.StringFlag{Name: "env", Usage: "add `NAME=VALUE`"}, "e"}, "", nil},
			wrapper{&cli.StringFlag{Name: "dir", Usage: "in `PLACE`", DefaultText: "the current directory"}, "directories", nil},
			wrapper{&cli.StringFlag{Name: "cap", Usage: "with `WHAT`"}, "capabilities", nil},
		}},
		{Name: "inner", Hidden: true},
	}
	return app
}

func TestFiles(t *testing.T) {
	files := Files(sample(), "2026-11-24")
	for name, texts := range map[string][]string{
		"man/sample.1": {`.TH "SAMPLE" 1 "2026\-11\-24" "sample 1.2"`, `sample \- show how it\(aqs done`, `\fB\-\-log\-format\fR \fIFORMAT\fR`, "Default: text."},
		"man/sample-kill.1": {
			`\fBkill\fR [\fIOPTION\fR]... \fIID\fR [\fISIGNAL\fR]`, `\&.dot at the start`, `back\eslash`,
			`\fB\-\-env\fR \fINAME=VALUE\fR, \fB\-e\fR \fINAME=VALUE\fR`, "May be given several times.", "Default: the current directory.",
		},
		"sample.bash": {`"kill --env" | "kill -e" | "kill --dir" | "kill --cap"`, `compgen -W "text json"`, `words='--env -e --dir --cap --help -h'`, `compgen -W "CAP_`},
		"_sample":     {`'kill:send a [signal]'`, `'*--env=[add NAME=VALUE]:NAME=VALUE:'`, `'*-e[add NAME=VALUE]:NAME=VALUE:'`, `'--dir=[in PLACE]:PLACE:_files -/'`, `'--prose=[WORD, this or that]:WORD:'`},
		"sample.fish": {`-s e -x -d 'add NAME=VALUE'`, `-l dir -x -a '(__fish_complete_directories)'`},
	} {
		for _, text := range texts {
			if !strings.Contains(files[name], text) {
				t.Errorf("%s has no %s:\n%s", name, text, files[name])
			}
		}
	}
	for name, content := range files {
		if strings.Contains(content, "secret") || strings.Contains(content, "inner") {
			t.Errorf("%s has what is hidden", name)
		}
	}
}
