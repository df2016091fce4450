package jsonpos

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestManyProblems: many problems are places in a document that is read once, and a bounded list.
func TestManyProblems(t *testing.T) {
	var doc strings.Builder
	doc.WriteString("{")
	const n = 300_000
	for i := range n {
		fmt.Fprintf(&doc, "\"k%d\":1,%s", i, []string{"", "\n"}[i%2])
	}
	doc.WriteString("\"Name\":\"x\"}")
	var v struct{ Name string }
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	unknown, err := Unmarshal([]byte(doc.String()), &v)
	runtime.ReadMemStats(&after)
	if err != nil || v.Name != "x" || len(unknown) != maxUnknown+1 {
		t.Fatalf("%d, %v", len(unknown), err)
	}
	if e := unknown[999]; e.Line != 500 || e.Path != "k999" || e.Column != 10 {
		t.Error(e)
	}
	if want := fmt.Sprintf("%d more unknown properties", n-maxUnknown); unknown[maxUnknown].Text != want {
		t.Error(unknown[maxUnknown])
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > uint64(20*doc.Len()) {
		t.Errorf("%d bytes were allocated for a document of %d", used, doc.Len())
	}
}

// TestPlaces: each position has the line and column that counting from the start gives.
func TestPlaces(t *testing.T) {
	data := []byte(strings.Repeat("a\nbcd\n\n", 2000) + strings.Repeat("x", 10_000) + "\n" + strings.Repeat("y", 5000))
	d := newDecoder(data)
	for _, pos := range []int{len(data), 0, 1, 2, 7, 4095, 4096, 4097, 13_999, 14_000, 20_000, 24_000, 24_001, 24_002, 28_672, len(data) - 1, 3} {
		line, column := d.place(pos)
		wantLine, wantColumn := place(data, pos)
		if line != wantLine || column != wantColumn {
			t.Errorf("%d: %d:%d, want %d:%d", pos, line, column, wantLine, wantColumn)
		}
	}
}
