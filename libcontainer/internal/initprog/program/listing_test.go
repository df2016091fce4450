package program

import (
	"os"
	"regexp"
	"testing"
)

// TestEveryCallHasAName: the listing would show a call without a name as a number.
func TestEveryCallHasAName(t *testing.T) {
	known, err := os.ReadFile("listing.go")
	if err != nil {
		t.Fatal(err)
	}
	calls, err := os.ReadFile("syscalls.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`unix\.SYS_\w+`).FindAll(calls, -1)
	if len(found) < 40 {
		t.Fatalf("only %d calls", len(found))
	}
	for _, call := range found {
		if !regexp.MustCompile(string(call) + `: +"`).Match(known) {
			t.Errorf("callNames has no name for %s", call)
		}
	}
}
