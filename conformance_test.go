package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer"
)

// conformancePage has a row for each property of the specification.
const conformancePage = "docs/conformance.md"

// conformance is a row of the page.
type conformance struct {
	line       int
	properties []string
	state      string
	tests      []string // "FILE: NAME"
	remark     string
}

// conformanceRows reads the rows of mount options, or all other rows.
func conformanceRows(t *testing.T, mountOptions bool) (rows []conformance) {
	t.Helper()
	page, err := os.ReadFile(conformancePage)
	if err != nil {
		t.Fatal(err)
	}
	heading := ""
	for i, line := range strings.Split(string(page), "\n") {
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = h
		}
		if !strings.HasPrefix(line, "| `") || (heading == "Mount options") != mountOptions {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 4 {
			t.Errorf("%s:%d: a row has four cells", conformancePage, i+1)
			continue
		}
		r := conformance{line: i + 1, state: strings.TrimSpace(cells[1]), remark: strings.TrimSpace(cells[3])}
		r.properties = expandProperties(strings.Trim(cells[0], " `"))
		for _, test := range strings.Split(strings.TrimSpace(cells[2]), "<br>") {
			if test != "" {
				r.tests = append(r.tests, strings.Replace(strings.TrimPrefix(test, "`"), "`: ", ": ", 1))
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// expandProperties expands "a.b, c" to a.b and a.c, and "a = x, y" to "a = x" and "a = y".
func expandProperties(cell string) (properties []string) {
	prefix := ""
	for i, name := range strings.Split(cell, ", ") {
		if i == 0 {
			if at := strings.LastIndex(name, " = "); at >= 0 {
				prefix = name[:at+3]
			} else {
				prefix = name[:strings.LastIndex(name, ".")+1]
			}
			properties = append(properties, name)
			continue
		}
		properties = append(properties, prefix+name)
	}
	return properties
}

// specProperties returns the properties in the types of the specification. Elements of arrays are
// [], values of maps are *. containers are properties whose parts are properties themselves.
func specProperties() (properties, containers []string) {
	var walk func(reflect.Type, string) bool
	walk = func(typ reflect.Type, path string) bool {
		switch typ.Kind() {
		case reflect.Pointer:
			return walk(typ.Elem(), path)
		case reflect.Slice:
			return walk(typ.Elem(), path+"[]")
		case reflect.Map:
			return walk(typ.Elem(), path+".*")
		case reflect.Struct:
			for i := range typ.NumField() {
				f := typ.Field(i)
				if p := f.Tag.Get("platform"); p != "" && !slices.Contains(strings.Split(p, ","), "linux") {
					continue
				}
				if f.Anonymous {
					walk(f.Type, path)
					continue
				}
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				property := strings.TrimPrefix(path+"."+name, ".")
				properties = append(properties, property)
				if walk(f.Type, property) {
					containers = append(containers, property)
				}
			}
			return true
		}
		return false
	}
	walk(reflect.TypeFor[specs.Spec](), "")
	return properties, containers
}

// testsOf returns the names of the tests in a file of tests/ or libcontainer/internal/.
func testsOf(file string) ([]string, error) {
	path, pattern := filepath.Join("tests", file), regexp.MustCompile(`(?m)^@test "(.*)" \{$`)
	if strings.HasSuffix(file, ".go") {
		path, pattern = filepath.Join("libcontainer/internal", file), regexp.MustCompile(`(?m)^func (Test\w+|Fuzz\w+)\(`)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range pattern.FindAllStringSubmatch(string(data), -1) {
		names = append(names, strings.NewReplacer(`\"`, `"`, `\$`, `$`, `\\`, `\`).Replace(m[1]))
	}
	return names, nil
}

// checkRow checks the tests of a row against its state.
func checkRow(t *testing.T, r conformance) {
	t.Helper()
	switch {
	case r.state == "untested" && r.remark == "":
		t.Errorf("%s:%d: the row does not say why %q is untested", conformancePage, r.line, r.properties)
	case r.state != "yes" && r.state != "untested":
		t.Errorf("%s:%d: the state %q is none", conformancePage, r.line, r.state)
	case len(r.tests) == 0:
		t.Errorf("%s:%d: %q has no test", conformancePage, r.line, r.properties)
	}
	for _, test := range r.tests {
		file, name, _ := strings.Cut(test, ": ")
		names, err := testsOf(file)
		if err != nil {
			t.Errorf("%s:%d: %v", conformancePage, r.line, err)
		} else if !slices.Contains(names, name) {
			t.Errorf("%s:%d: %s has no test %q", conformancePage, r.line, file, name)
		}
	}
}

// TestConformanceIsComplete: each property of the specification has one row.
func TestConformanceIsComplete(t *testing.T) {
	properties, containers := specProperties()
	seen := make(map[string]int)
	for _, r := range conformanceRows(t, false) {
		for _, p := range r.properties {
			if seen[p]++; seen[p] > 1 {
				t.Errorf("%s:%d: a second row for %s", conformancePage, r.line, p)
			}
			if base, _, _ := strings.Cut(p, " = "); !slices.Contains(properties, base) {
				t.Errorf("%s:%d: the specification has no property %s", conformancePage, r.line, p)
			}
		}
	}
	for _, p := range properties {
		// A container of other properties is covered by their rows.
		if seen[p] == 0 && !slices.Contains(containers, p) {
			t.Errorf("%s has no row for %s", conformancePage, p)
		}
	}
}

// TestConformanceIsTrue: the tests exist, and so do the namespaces.
func TestConformanceIsTrue(t *testing.T) {
	namespaces := libcontainer.Features().Linux.Namespaces
	for _, r := range conformanceRows(t, false) {
		checkRow(t, r)
		for _, p := range r.properties {
			property, value, isValue := strings.Cut(p, " = ")
			switch {
			case !isValue:
			case property != "linux.namespaces[].type":
				t.Errorf("%s:%d: values of %s are not checked", conformancePage, r.line, property)
			case !slices.Contains(namespaces, value):
				t.Errorf("%s:%d: there is no namespace %q", conformancePage, r.line, value)
			}
		}
	}
}

// TestConformanceOfNamespaces: each type of namespace has a row.
func TestConformanceOfNamespaces(t *testing.T) {
	want := []specs.LinuxNamespaceType{
		specs.PIDNamespace, specs.NetworkNamespace, specs.MountNamespace, specs.IPCNamespace, specs.UTSNamespace,
		specs.UserNamespace, specs.CgroupNamespace, specs.TimeNamespace,
	}
	for _, r := range conformanceRows(t, false) {
		for _, p := range r.properties {
			if value, ok := strings.CutPrefix(p, "linux.namespaces[].type = "); ok {
				want = slices.DeleteFunc(want, func(n specs.LinuxNamespaceType) bool { return string(n) == value })
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("%s has no row for the namespaces %q", conformancePage, want)
	}
}

// TestConformanceOfMountOptions: each option of config.md#linux-mount-options has a row, and so
// has each additional option.
func TestConformanceOfMountOptions(t *testing.T) {
	known := libcontainer.Features().MountOptions
	want := strings.Fields(`async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime
		noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime relatime remount
		rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared
		rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync tmpcopyup
		unbindable idmap ridmap`)
	want = append(want, known...)
	for _, r := range conformanceRows(t, true) {
		checkRow(t, r)
		for _, o := range r.properties {
			if !slices.Contains(known, o) {
				t.Errorf("%s:%d: %s is not known, these are: %q", conformancePage, r.line, o, known)
			}
			if !slices.Contains(want, o) {
				t.Errorf("%s:%d: there is no option %s", conformancePage, r.line, o)
			}
			want = slices.DeleteFunc(want, func(name string) bool { return name == o })
		}
	}
	if len(want) > 0 {
		t.Errorf("%s has no row for the mount options %s", conformancePage, fmt.Sprint(want))
	}
}
