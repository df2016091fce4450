package main

import (
	"strings"
	"testing"

	"coracle/internal/docgen"
)

// TestDocs: what the manual pages and completions say of flags that can be repeated, and of
// their short names.
func TestDocs(t *testing.T) {
	files := docgen.Files(newApp(), "2026-11-24")
	for name, texts := range map[string][]string{
		"coracle.bash":       {`"exec --env" | "exec -e"`, `"exec -g"`, `"exec -c"`},
		"_coracle":           {`'*--env=[`, `'*-e[`, `'*--cap=[`, `'*-c[`, `'*--additional-gids=[`, `'*-g[`, `'*--cgroup=[`, `'(--user -u)-u[`},
		"coracle.fish":       {` -l env -s e -x`, ` -l cap -s c -x`},
		"man/coracle-exec.1": {`\fB\-\-env\fR \fINAME=VALUE\fR, \fB\-e\fR \fINAME=VALUE\fR` + "\nAdd the variable NAME=VALUE. May be given several times."},
	} {
		for _, text := range texts {
			if !strings.Contains(files[name], text) {
				t.Errorf("%s has no %s", name, text)
			}
		}
	}
}
