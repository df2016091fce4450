package rdt

import (
	"os"
	"path/filepath"
	"testing"
)

func TestUpdateAndRestore(t *testing.T) {
	class := t.TempDir()
	file := filepath.Join(class, schemata)
	read := func() string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	// A plain file is overwritten from its start, which is enough to see what was written.
	if err := os.WriteFile(file, []byte("    L3:0=ffff\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := Load(Saved{Class: class})
	restore, err := m.Update([]string{"L3:0=000f"})
	if err != nil || read() != "L3:0=000f\nfff\n" {
		t.Fatalf("%q, %v", read(), err)
	}
	if err := restore(); err != nil || read() != "L3:0=ffff\nfff\n" {
		t.Fatalf("%q, %v", read(), err)
	}
	if _, err := Load(Saved{Class: filepath.Join(class, "gone")}).Update([]string{"L3:0=1"}); err == nil {
		t.Error("a class that is gone is updated")
	}
}
