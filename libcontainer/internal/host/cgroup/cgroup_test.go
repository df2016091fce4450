package cgroup

import (
	"os"
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestCheckPath(t *testing.T) {
	for path, ok := range map[string]bool{
		"/a": true, "a": true, "a/b": true, "/a/../b": false, "..": false, "a/..": false, "a/..b": true, "/": false, ".": false,
		"": false, "system.slice:coracle:x": false, "a:b": true,
	} {
		if err := checkPath(path); (err == nil) != ok {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestPaths(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs the cgroups of root")
	}
	m, err := New(&specs.Spec{}, "id", Cgroupfs)
	if err != nil {
		t.Fatal(err)
	}
	for key, dir := range m.Saved().Paths {
		if !strings.HasPrefix(dir, mountpoint+"/") || !strings.HasSuffix(dir, "/coracle-id") {
			t.Errorf("%q: %s", key, dir)
		}
	}
	if again := Load(m.Saved()); !reflect.DeepEqual(again.Saved(), m.Saved()) {
		t.Error("a saved manager is another one")
	}
	m, err = New(&specs.Spec{Linux: &specs.Linux{CgroupsPath: "/x/y"}}, "id", Cgroupfs)
	if err != nil {
		t.Fatal(err)
	}
	for key, dir := range m.Saved().Paths {
		if rel := strings.TrimPrefix(dir, mountpoint); strings.Count(rel, "/") > 3 || !strings.HasSuffix(rel, "/x/y") {
			t.Errorf("%q: %s", key, dir)
		}
	}
}

func TestRmdirStaysInTheCgroups(t *testing.T) {
	dir := t.TempDir()
	if err := rmdir(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error("a directory that is no cgroup was removed")
	}
}

func FuzzCheckPath(f *testing.F) {
	f.Add("/a/b")
	f.Add("a/../../b")
	f.Fuzz(func(t *testing.T, path string) {
		if checkPath(path) != nil {
			return
		}
		for _, part := range strings.Split(path, "/") {
			if part == ".." {
				t.Errorf("%q leads upwards", path)
			}
		}
	})
}
