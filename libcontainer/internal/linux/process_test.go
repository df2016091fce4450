package linux

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestProcess(t *testing.T) {
	own := PID(os.Getpid())
	status, err := own.Status()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		field string
		index int
		want  int
	}{{"Tgid", 0, os.Getpid()}, {"PPid", -1, os.Getppid()}, {"Uid", 1, os.Geteuid()}, {"Gid", 0, os.Getgid()}} {
		if n, err := status.Number(c.field, c.index); err != nil || n != c.want {
			t.Errorf("%s: %d, %v instead of %d", c.field, n, err, c.want)
		}
	}
	for field, index := range map[string]int{"Gid": 4, "Uid": -5, "NoSuch": 0, "Name": 0} {
		if n, err := status.Number(field, index); err == nil {
			t.Errorf("%s %d: %d", field, index, n)
		}
	}
	stat, err := own.Stat()
	if err != nil || stat.Dead() || stat.Exiting() {
		t.Fatalf("%q, %v", stat, err)
	}
	if parent, err := stat.Number(4); err != nil || parent != uint64(os.Getppid()) {
		t.Errorf("%d, %v", parent, err)
	}
	if n, err := stat.Number(500); err == nil {
		t.Error(n)
	}
	exe, err := Self.Exe()
	if want, _ := os.Executable(); err != nil || filepath.Base(exe) != filepath.Base(want) {
		t.Errorf("%q, %v", exe, err)
	}
	cgroups, err := own.Cgroups()
	if err != nil || len(cgroups) == 0 {
		t.Errorf("%v, %v", cgroups, err)
	}
	for key, path := range cgroups {
		if !filepath.IsAbs(path) {
			t.Errorf("%s: %q", key, path)
		}
	}
}

func TestNoProcess(t *testing.T) {
	none := PID(0)
	if _, err := none.Status(); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := none.Cgroups(); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := none.Exe(); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
