package oci

import (
	"slices"
	"testing"
)

func TestTable(t *testing.T) {
	table := Table[string, int]{{"two", 2}, {"one", 1}, {"none", 0}}
	if n, ok := table.Find("none"); n != 0 || !ok || table.Of("two") != 2 || table.Of("three") != 0 || table.Has("three") || !table.Has("one") {
		t.Errorf("the table has %v", table)
	}
	if want := []string{"none", "one", "two"}; !slices.Equal(table.Words(), want) || table.String() != "none, one, two" {
		t.Errorf("its words are %v, %q", table.Words(), table.String())
	}
}
