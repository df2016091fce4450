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

	"coracle/libcontainer/bundle"
)

// conformancePage has a row for each property of the specification.
const conformancePage = "docs/conformance.md"

// conformance is a row of the page.
type conformance struct {
	line       int
	properties []string
	state      string
	tests      []string // "FILE: NAME"
}

// conformanceRows reads the rows of the page: those of mount options, or all others.
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
		r := conformance{line: i + 1, state: strings.TrimSpace(cells[1])}
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

// expandProperties gives "a.b, c" as a.b and a.c, and "a = x, y" as "a = x" and "a = y".
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

// specProperties walks over the types of the specification. Elements of arrays are [],
// values of maps are *. Containers are properties whose parts have properties themselves.
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

// with is a configuration that has a property, with some value.
func with(t *testing.T, property string) *specs.Spec {
	t.Helper()
	s := &specs.Spec{Linux: &specs.Linux{}}
	var set func(v reflect.Value, steps []string)
	set = func(v reflect.Value, steps []string) {
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			set(v.Elem(), steps)
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			set(v.Index(0), steps)
		case reflect.Map:
			element := reflect.New(v.Type().Elem()).Elem()
			if len(steps) > 0 {
				steps = steps[1:] // the key
			}
			set(element, steps)
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.ValueOf("x").Convert(v.Type().Key()), element)
		case reflect.Struct:
			if len(steps) == 0 {
				return
			}
			name := strings.TrimSuffix(steps[0], "[]")
			for _, f := range reflect.VisibleFields(v.Type()) {
				if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name {
					set(v.FieldByIndex(f.Index), steps[1:])
					return
				}
			}
			t.Fatalf("%s is not a property of the specification", property)
		case reflect.String:
			v.SetString("x")
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
			v.SetInt(1)
		case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			v.SetUint(1)
		default:
			t.Fatalf("%s: %s is not handled", property, v.Kind())
		}
	}
	set(reflect.ValueOf(s), strings.Split(property, "."))
	return s
}

// testsOf reads the names of the tests in a file of tests/ or libcontainer/.
func testsOf(file string) ([]string, error) {
	path, pattern := filepath.Join("tests", file), regexp.MustCompile(`(?m)^@test "(.*)" \{$`)
	if strings.HasSuffix(file, ".go") {
		path, pattern = filepath.Join("libcontainer", file), regexp.MustCompile(`(?m)^func (Test\w+|Fuzz\w+)\(`)
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
	case !slices.Contains([]string{"yes", "not yet"}, r.state):
		t.Errorf("%s:%d: the state %q is none", conformancePage, r.line, r.state)
	case r.state == "yes" && len(r.tests) == 0:
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
		// What only holds others is covered by their rows.
		if seen[p] == 0 && !slices.Contains(containers, p) {
			t.Errorf("%s has no row for %s", conformancePage, p)
		}
	}
}

// TestConformanceIsTrue: the tests exist, and the states are those of the code.
func TestConformanceIsTrue(t *testing.T) {
	namespaces := bundle.KnownWords().Namespaces
	for _, r := range conformanceRows(t, false) {
		checkRow(t, r)
		for _, p := range r.properties {
			property, value, isValue := strings.Cut(p, " = ")
			supported := false
			switch {
			case isValue && property == "linux.namespaces[].type":
				supported = slices.Contains(namespaces, value)
			case isValue:
				t.Errorf("%s:%d: values of %s are not checked", conformancePage, r.line, property)
			default:
				supported = bundle.Supported(with(t, property))
			}
			if refused := r.state == "not yet"; refused == supported {
				t.Errorf("%s:%d: the state of %s is %q, and a configuration with it is %s", conformancePage, r.line, p, r.state,
					map[bool]string{true: "accepted", false: "refused"}[supported])
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

// TestConformanceOfMountOptions: each option of config.md#linux-mount-options has a row,
// and so has each that is understood besides.
func TestConformanceOfMountOptions(t *testing.T) {
	known := bundle.MountOptionNames()
	want := strings.Fields(`async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime
		noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime relatime remount
		rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared
		rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync tmpcopyup
		unbindable idmap ridmap`)
	want = append(want, known...)
	for _, r := range conformanceRows(t, true) {
		checkRow(t, r)
		for _, o := range r.properties {
			if supported := slices.Contains(known, o); supported == (r.state == "not yet") {
				t.Errorf("%s:%d: the state of %s is %q, known options are %q", conformancePage, r.line, o, r.state, known)
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
