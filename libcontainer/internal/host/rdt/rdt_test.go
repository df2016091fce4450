package rdt

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const defaultSchemata = "    MB:0=100;1=100\n    L3:0=fff;1=fff\n"

// fake is a directory in place of resctrl. New directories get the files that the kernel would
// create; a file keeps all lines that are written to it.
func fake(t *testing.T) tree {
	t.Helper()
	f := tree{root: t.TempDir(), remove: os.RemoveAll}
	fill := func(dir string) {
		t.Helper()
		for name, content := range map[string]string{tasks: "", schemata: defaultSchemata} {
			if strings.Contains(dir, monGroups) && name == schemata {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.mkdir = func(path string) error {
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
		fill(path)
		if !strings.Contains(path, monGroups) {
			return os.Mkdir(filepath.Join(path, monGroups), 0o755)
		}
		return nil
	}
	fill(f.root)
	for _, dir := range []string{monGroups, "info"} {
		if err := os.Mkdir(filepath.Join(f.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// existing makes a class of service.
func (f tree) existing(t *testing.T, name, content string) {
	t.Helper()
	if err := f.mkdir(filepath.Join(f.root, name)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.root, name, schemata), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (f tree) read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(f.root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (f tree) has(path string) bool {
	_, err := os.Stat(filepath.Join(f.root, path))
	return err == nil
}

// life creates, adds a process, checks and removes, as separate commands would.
func life(t *testing.T, f tree, config specs.LinuxIntelRdt, check func()) {
	t.Helper()
	m, err := newManager(f, "demo", &config)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := json.Marshal(m.Saved())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	var s Saved
	if err := json.Unmarshal(saved, &s); err != nil {
		t.Fatal(err)
	}
	m = Load(s)
	m.tree.remove = f.remove
	if err := m.Add(4711); err != nil {
		t.Fatal(err)
	}
	check()
	for range 2 { // the second time there is nothing left to remove
		if err := m.Remove(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOwnClass(t *testing.T) {
	f := fake(t)
	life(t, f, specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f;1=f0"}, func() {
		if got := f.read(t, "demo/tasks"); got != "4711\n" {
			t.Errorf("tasks %q", got)
		}
		if got := f.read(t, "demo/schemata"); !strings.HasPrefix(got, "L3:0=f;1=f0\n") {
			t.Errorf("schemata %q", got)
		}
	})
	if f.has("demo") {
		t.Error("the class is still there")
	}
	if f.read(t, tasks) != "" || f.read(t, schemata) != defaultSchemata {
		t.Error("the default class has changed")
	}
}

func TestOrderOfSchemata(t *testing.T) {
	f := fake(t)
	config := specs.LinuxIntelRdt{MemBwSchema: "MB:0=20", L3CacheSchema: "L3:0=f", Schemata: []string{"L2:0=1", "MB:0=30"}}
	m, err := newManager(f, "demo", &config)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(m.Schemata(), " "); got != "L3:0=f MB:0=20 L2:0=1 MB:0=30" {
		t.Error(got)
	}
}

func TestNothingIsWrittenWithoutSchema(t *testing.T) {
	f := fake(t)
	life(t, f, specs.LinuxIntelRdt{}, func() {
		if got := f.read(t, "demo/schemata"); got != defaultSchemata {
			t.Errorf("schemata %q", got)
		}
	})
}

func TestNamedClass(t *testing.T) {
	f := fake(t)
	// The class is made because there is a schema, and stays at the end.
	life(t, f, specs.LinuxIntelRdt{ClosID: "gold", Schemata: []string{"L3:0=f"}}, func() {})
	if got := f.read(t, "gold/schemata"); !strings.HasPrefix(got, "L3:0=f\n") {
		t.Errorf("schemata %q", got)
	}
	// The same class without a schema.
	life(t, f, specs.LinuxIntelRdt{ClosID: "gold"}, func() {
		if got := f.read(t, "gold/tasks"); got != "4711\n" {
			t.Errorf("tasks %q", got)
		}
	})
	if !f.has("gold") || f.has("demo") {
		t.Error("gold went, or demo came")
	}
	if _, err := newManager(f, "demo", &specs.LinuxIntelRdt{ClosID: "silver"}); err == nil || !strings.Contains(err.Error(), `no class of service "silver"`) {
		t.Error(err)
	}
}

func TestDefaultClass(t *testing.T) {
	f := fake(t)
	life(t, f, specs.LinuxIntelRdt{ClosID: "/", EnableMonitoring: true}, func() {
		if f.read(t, tasks) != "4711\n" || f.read(t, "mon_groups/demo/tasks") != "4711\n" {
			t.Error("the process is not in both groups")
		}
	})
	if f.has("mon_groups/demo") || !f.has(tasks) {
		t.Error("the monitoring group is there, or the default class is not")
	}
}

func TestExistingClassMustMatch(t *testing.T) {
	f := fake(t)
	f.existing(t, "gold", "    MB:0=20;1=70\n    L3:0=7f0;1=01f\n")
	for _, c := range []struct {
		config specs.LinuxIntelRdt
		want   string // in the error; empty for none
	}{
		{specs.LinuxIntelRdt{L3CacheSchema: "L3:0=7f0;1=1f"}, ""},
		{specs.LinuxIntelRdt{L3CacheSchema: "L3:1=1F;0=07f0"}, ""},
		{specs.LinuxIntelRdt{L3CacheSchema: "L3:1=1f"}, ""},
		{specs.LinuxIntelRdt{MemBwSchema: "MB:0=20;1=70"}, ""},
		{specs.LinuxIntelRdt{MemBwSchema: "MB:0=20;1=71"}, `it has "MB:0=20;1=70"`},
		{specs.LinuxIntelRdt{L3CacheSchema: "L3:0=7f0;1=1f", MemBwSchema: "MB:0=14"}, "memBwSchema"},
		{specs.LinuxIntelRdt{L3CacheSchema: "L3:0=7f1"}, `it has "L3:0=7f0;1=01f"`},
		{specs.LinuxIntelRdt{L3CacheSchema: "L3:2=1"}, "l3CacheSchema"},
		{specs.LinuxIntelRdt{L3CacheSchema: "L3CODE:0=1"}, "no L3CODE"},
		{specs.LinuxIntelRdt{L3CacheSchema: "L3"}, "no resource with a colon"},
		// "the value of schemata field must be written last": it need not match.
		{specs.LinuxIntelRdt{Schemata: []string{"L3:0=1"}}, ""},
	} {
		c.config.ClosID = "gold"
		_, err := newManager(f, "demo", &c.config)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.config, err)
		}
	}
}

func TestClassThatWasThereStays(t *testing.T) {
	f := fake(t)
	f.existing(t, "demo", defaultSchemata)
	life(t, f, specs.LinuxIntelRdt{Schemata: []string{"L3:0=1"}}, func() {})
	if !f.has("demo") {
		t.Error("a class that was not made for the container is gone")
	}
}

func TestMonitoring(t *testing.T) {
	f := fake(t)
	f.existing(t, "gold", defaultSchemata)
	life(t, f, specs.LinuxIntelRdt{ClosID: "gold", EnableMonitoring: true}, func() {
		if f.read(t, "gold/tasks") != "4711\n" || f.read(t, "gold/mon_groups/demo/tasks") != "4711\n" {
			t.Error("the process is not in both groups")
		}
	})
	if f.has("gold/mon_groups/demo") || !f.has("gold") {
		t.Error("the monitoring group is there, or the class is not")
	}
	if err := f.mkdir(filepath.Join(f.root, "gold/mon_groups/demo")); err != nil {
		t.Fatal(err)
	}
	if _, err := newManager(f, "demo", &specs.LinuxIntelRdt{ClosID: "gold", EnableMonitoring: true}); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Error(err)
	}
}

func TestKernelSaysWhy(t *testing.T) {
	f := fake(t)
	if err := os.WriteFile(filepath.Join(f.root, "info/last_cmd_status"), []byte("out of CLOSIDs\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.mkdir = func(string) error { return unix.ENOSPC }
	m, err := newManager(f, "demo", &specs.LinuxIntelRdt{})
	if err != nil {
		t.Fatal(err)
	}
	err = m.Create()
	if !errors.Is(err, unix.ENOSPC) || !strings.HasSuffix(err.Error(), ": out of CLOSIDs") || !strings.Contains(err.Error(), "no more of them") {
		t.Error(err)
	}
}

func TestIDThatCannotNameAGroup(t *testing.T) {
	f := fake(t)
	for _, config := range []specs.LinuxIntelRdt{{}, {ClosID: "/", EnableMonitoring: true}} {
		if _, err := newManager(f, "info", &config); err == nil || !strings.Contains(err.Error(), `"info"`) {
			t.Error(err)
		}
	}
	if _, err := newManager(f, "info", &specs.LinuxIntelRdt{ClosID: "/"}); err != nil {
		t.Error(err)
	}
}

func FuzzSchema(f *testing.F) {
	f.Add("L3:0=7f0;1=1f", defaultSchemata)
	f.Add("MB:0=20", "MB:0=020")
	f.Fuzz(func(t *testing.T, wanted, have string) {
		difference, err := differs(wanted, have)
		if err != nil {
			return
		}
		// A file that has exactly this line does not differ.
		if !strings.ContainsAny(wanted, "\n") {
			if d, err := differs(wanted, wanted+"\n"); err != nil || d != "" {
				t.Errorf("%q differs from itself: %q, %v", wanted, d, err)
			}
		}
		_ = difference
	})
}

// TestUndo: a creation that fails leaves what was there, with its values, and nothing else.
func TestUndo(t *testing.T) {
	f := fake(t)
	f.existing(t, "theirs", defaultSchemata)
	config := specs.LinuxIntelRdt{ClosID: "theirs", Schemata: []string{"L3:0=f;1=f"}, EnableMonitoring: true}
	m, err := newManager(f, "demo", &config)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	if err := m.Undo(); err != nil {
		t.Fatal(err)
	}
	if !f.has("theirs") || f.has("theirs/mon_groups/demo") {
		t.Error("the class of others is gone, or the monitoring group is not")
	}
	if got := f.read(t, "theirs/schemata"); !strings.HasPrefix(got, "L3:0=fff;1=fff\n") {
		t.Errorf("the former values were not written: %q", got)
	}

	// A class with a closID is not removed with the container, but is removed when the creation
	// fails.
	config.ClosID = "named"
	if m, err = newManager(f, "demo", &config); err != nil {
		t.Fatal(err)
	}
	if err = m.Create(); err != nil {
		t.Fatal(err)
	}
	if err = m.Undo(); err != nil || f.has("named") {
		t.Errorf("the class is still there: %v", err)
	}

	// Another process made it first.
	if m, err = newManager(f, "demo", &specs.LinuxIntelRdt{EnableMonitoring: true}); err != nil {
		t.Fatal(err)
	}
	f.existing(t, "demo", defaultSchemata)
	if err = m.Create(); err == nil {
		t.Fatal("made a class that exists")
	}
	if err = m.Undo(); err != nil || !f.has("demo") {
		t.Errorf("the class of somebody else is gone: %v", err)
	}
}
