package main

import (
	goflag "flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var updateStart = goflag.Bool("update", false, "write testdata/initialisers.golden anew")

// TestInitialisers: a command is a new process, so each command runs the initializers of all
// packages. If this list grows because of a new import, check what it costs (GODEBUG=inittrace=1
// coracle state ID). Coracle's own packages initialize nothing: what is rarely needed is made on
// first use.
func TestInitialisers(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	binary := filepath.Join(t.TempDir(), "coracle")
	build := exec.Command("go", "build", "-tags", "urfave_cli_no_docs", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	run := exec.Command(binary, "--root", t.TempDir(), "state", "nobody")
	run.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, _ := run.CombinedOutput()
	if !strings.Contains(string(out), "does not exist") {
		t.Fatalf("state says %s", out)
	}
	var packages []string
	const first = "coracle/internal/early"
	for line := range strings.Lines(string(out)) {
		// init PACKAGE @0.1 ms, 0.1 ms clock, 16 bytes, 1 allocs
		fields := strings.Fields(line)
		if len(fields) != 11 || fields[0] != "init" {
			continue
		}
		name := fields[1]
		if strings.HasPrefix(name, "internal/") || name == "runtime" {
			continue // differs between versions of Go
		}
		packages = append(packages, name)
		if fields[9] != "0" && !slices.Contains(packages, first) {
			t.Errorf("package %s allocates before %s is initialised: %s", name, first, line)
		}
		own := name == "main" || strings.HasPrefix(name, "coracle/")
		if n, err := strconv.Atoi(fields[9]); own && (err != nil || n > 0) {
			t.Errorf("package %s allocates when it is initialised: %s", name, line)
		}
	}
	slices.Sort(packages)
	const path = "testdata/initialisers.golden"
	got := strconv.Itoa(len(packages)) + " packages\n" + strings.Join(packages, "\n") + "\n"
	if *updateStart {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("what is initialised in a command is\n%s\nand not as in %s (-update writes it anew)\n%s", got, path, want)
	}
}
