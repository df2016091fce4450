package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDifferencesAreTested: each row of docs/differences.md names tests, and these exist.
func TestDifferencesAreTested(t *testing.T) {
	const page = "docs/differences.md"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	token := regexp.MustCompile(`([a-z/-]+\.bats): |"((?:[^"\\]|\\.)*)"`)
	rows := 0
	for n, line := range strings.Split(string(data), "\n") {
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| Coracle ") {
			continue
		}
		if rows++; len(cells) != 5 {
			t.Errorf("%s:%d: a row has five cells, this one has %d", page, n+1, len(cells))
			continue
		}
		file, tests := "", 0
		for _, m := range token.FindAllStringSubmatch(cells[4], -1) {
			if m[1] != "" {
				file = m[1]
				continue
			}
			tests++
			if names, err := testsOf(file); err != nil || !slices.Contains(names, m[2]) {
				t.Errorf("%s:%d: there is no test %q in %s", page, n+1, m[2], file)
			}
		}
		if tests == 0 {
			t.Errorf("%s:%d: no test", page, n+1)
		}
	}
	if rows < 30 {
		t.Errorf("%s has %d rows", page, rows)
	}
}
