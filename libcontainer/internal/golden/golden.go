// Package golden compares the output of a test with a reference file.
package golden

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

// With -update the files are written anew: go test PACKAGE -update. Then review the change with
// git diff.
var update = flag.Bool("update", false, "write the golden files anew")

// Compare fails the test, and shows the first lines that differ, when got is not the content of
// the file.
func Compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("not what %s holds (-update writes it anew):\n%s", file, difference(string(want), got))
	}
}

// shown is how many differing lines of each side are shown.
const shown = 8

// difference returns the first lines that differ, with the line before them.
func difference(want, got string) string {
	w, g := strings.SplitAfter(want, "\n"), strings.SplitAfter(got, "\n")
	n := 0
	for n < len(w) && n < len(g) && w[n] == g[n] {
		n++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "line %d:\n", n+1)
	if n > 0 {
		b.WriteString("  " + w[n-1])
	}
	side := func(mark string, lines []string) {
		for _, l := range lines[min(n, len(lines)):min(n+shown, len(lines))] {
			b.WriteString(mark + strings.TrimSuffix(l, "\n") + "\n")
		}
	}
	side("- ", w)
	side("+ ", g)
	return b.String()
}
