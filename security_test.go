package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSecurityIsTested checks that each promise of SECURITY.md names recipes that exist and have
// tests, and that each row about an advisory names a recipe or a test.
func TestSecurityIsTested(t *testing.T) {
	recipes := testedRecipes(t)
	data, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	recipe := regexp.MustCompile(`R-\d\d`)
	token := regexp.MustCompile(`([a-z/-]+\.bats): |"((?:[^"\\]|\\.)*)"`)
	rows := 0
	for n, line := range strings.Split(string(data), "\n") {
		for _, name := range recipe.FindAllString(line, -1) {
			if !recipes[name] {
				t.Errorf("SECURITY.md:%d: %s has no test in docs/invariants.md", n+1, name)
			}
		}
		if !strings.HasPrefix(line, "| CVE-") && !strings.HasPrefix(line, "| GHSA-") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 4 {
			t.Errorf("SECURITY.md:%d: a row has four cells, this one has %d", n+1, len(cells))
			continue
		}
		file, found := "", recipe.MatchString(cells[3])
		for _, m := range token.FindAllStringSubmatch(cells[3], -1) {
			if m[1] != "" {
				file = m[1]
				continue
			}
			found = true
			if names, err := testsOf(file); err != nil || !slices.Contains(names, m[2]) {
				t.Errorf("SECURITY.md:%d: there is no test %q in %s", n+1, m[2], file)
			}
		}
		if !found {
			t.Errorf("SECURITY.md:%d: no recipe and no test", n+1)
		}
	}
	if rows < 20 {
		t.Errorf("SECURITY.md has %d rows about advisories", rows)
	}
}

// testedRecipes returns the recipes of docs/invariants.md that have a test, or are about something
// that does not exist. That the tests exist is
// what tests/security/mutate checks.
func testedRecipes(t *testing.T) map[string]bool {
	t.Helper()
	data, err := os.ReadFile("docs/invariants.md")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, row := range regexp.MustCompile(`(?m)^\| (R-\d\d) \|[^|]*\|(.*)\|$`).FindAllStringSubmatch(string(data), -1) {
		found[row[1]] = strings.Contains(row[2], `.bats: "`) || strings.Contains(row[2], "Test") || strings.Contains(row[2], "there is none")
	}
	return found
}
