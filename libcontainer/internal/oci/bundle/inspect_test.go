package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// inspect inspects a bundle with a configuration, and returns a line for each finding.
func inspect(t *testing.T, config string) (lines []string) {
	t.Helper()
	i, err := Inspect(Place{Dir: writeBundle(t, config)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range i.Findings {
		kind := "error"
		if f.Warning {
			kind = "warning"
		}
		lines = append(lines, fmt.Sprintf("%d:%d %s %s: %s", f.Line, f.Column, kind, f.Property, f.Text))
	}
	return lines
}

func TestInspectFindsEverything(t *testing.T) {
	got := inspect(t, `{
  "ociVersion": "3.0.0",
  "root": {"path": "no-such"},
  "process": {
    "cwd": "tmp",
    "args": "sh",
    "colour": "red",
    "user": {"uid": -1},
    "rlimits": [{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}, {"type": "RLIMIT_LUCK", "soft": 0, "hard": 0}, {"type": "RLIMIT_CPU", "soft": 1, "hard": "1"}]
  },
  "annotations": {"a.b": 5, "": "x", "c": "1", "c": "2"},
  "linux": {"sysctl": {"kernel.pid_max": "1"}, "devices": [{"type": "p", "path": "/dev/f"}, {"type": "c", "path": "/dev/g"}]},
  "solaris": {}
}`)
	want := []string{
		`2:17 error ociVersion: "3.0.0" is not a version that this runtime knows (1.x)`,
		`3:20 error root.path: rootfs BUNDLE/no-such: no such file or directory`,
		`5:12 error process.cwd: "tmp" is not absolute`,
		`6:13 error process.args: expected an array, got a string`,
		`7:5 warning process.colour: unknown property`,
		`8:13 warning process.user.gid: is missing; the specification requires it`,
		`8:21 error process.user.uid: expected a number (uint32), got the number -1`,
		`9:17 error process.rlimits[0]: the soft limit 2 of RLIMIT_CORE is above the hard limit 1`,
		`9:73 error process.rlimits[1].type: "RLIMIT_LUCK" is not a resource limit of Linux`,
		`9:153 error process.rlimits[2].hard: expected a number (uint64), got a string`,
		`11:26 error annotations["a.b"]: expected a string, got the number 5`,
		`11:33 error annotations[""]: has no key; it must not be empty`,
		`11:48 warning annotations.c: duplicate property`,
		`12:42 error linux.sysctl["kernel.pid_max"]: cannot be set for a container: it is a parameter of the whole system`,
		`12:93 warning linux.devices[1].major: is missing; the specification requires it`,
		`12:93 warning linux.devices[1].minor: is missing; the specification requires it`,
		`13:14 warning solaris: is for Solaris and has no effect here`,
	}
	for i := range got {
		if before, after, ok := strings.Cut(got[i], os.TempDir()); ok {
			got[i] = before + "BUNDLE" + after[strings.Index(after, "/no-such"):]
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestInspectStopsWhereNothingCanBeUnderstood(t *testing.T) {
	got := inspect(t, "{\n  \"ociVersion\": \"3.0.0\",,\n}")
	want := []string{"2:25 error : a property name is expected, but there is ','"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestInspectAgreesWithLoad(t *testing.T) {
	for _, config := range []string{
		`{"ociVersion":"1.0.0","root":{"path":"rootfs"},"process":{"args":["a"],"cwd":"/","user":{"uid":0,"gid":0}}}`,
		`{"ociVersion":"1.0.0","root":{"path":"rootfs"}}`,
	} {
		if got := inspect(t, config); len(got) != 0 {
			t.Errorf("%s: %q", config, got)
		}
	}
}

// TestRequired: a property that the types of the specification do not mark as optional is
// required, except where the text says otherwise. A new version of the types shows here.
func TestRequired(t *testing.T) {
	var got []string
	var walk func(reflect.Type, string)
	walk = func(typ reflect.Type, path string) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(typ.Elem(), path)
		case reflect.Struct:
			for i := range typ.NumField() {
				f := typ.Field(i)
				name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
				if f.Anonymous {
					walk(f.Type, path)
					continue
				}
				p := strings.TrimPrefix(path+"."+name, ".")
				if options != "omitempty" && required(new(specs.Spec), p) {
					got = append(got, p)
				}
				walk(f.Type, p)
			}
		}
	}
	walk(reflect.TypeFor[specs.Spec](), "")
	want := strings.Fields(`ociVersion
		process.consoleSize.height process.consoleSize.width process.user.uid process.user.gid process.cwd
		process.rlimits.type process.rlimits.hard process.rlimits.soft process.scheduler.policy
		process.ioPriority.class process.ioPriority.priority
		root.path
		mounts.destination
		mounts.uidMappings.containerID mounts.uidMappings.hostID mounts.uidMappings.size
		mounts.gidMappings.containerID mounts.gidMappings.hostID mounts.gidMappings.size
		hooks.prestart.path hooks.createRuntime.path hooks.createContainer.path hooks.startContainer.path hooks.poststart.path hooks.poststop.path
		linux.uidMappings.containerID linux.uidMappings.hostID linux.uidMappings.size
		linux.gidMappings.containerID linux.gidMappings.hostID linux.gidMappings.size
		linux.resources.devices.allow
		linux.resources.blockIO.weightDevice.major linux.resources.blockIO.weightDevice.minor
		linux.resources.blockIO.throttleReadBpsDevice.major linux.resources.blockIO.throttleReadBpsDevice.minor linux.resources.blockIO.throttleReadBpsDevice.rate
		linux.resources.blockIO.throttleWriteBpsDevice.major linux.resources.blockIO.throttleWriteBpsDevice.minor linux.resources.blockIO.throttleWriteBpsDevice.rate
		linux.resources.blockIO.throttleReadIOPSDevice.major linux.resources.blockIO.throttleReadIOPSDevice.minor linux.resources.blockIO.throttleReadIOPSDevice.rate
		linux.resources.blockIO.throttleWriteIOPSDevice.major linux.resources.blockIO.throttleWriteIOPSDevice.minor linux.resources.blockIO.throttleWriteIOPSDevice.rate
		linux.resources.hugepageLimits.pageSize linux.resources.hugepageLimits.limit
		linux.resources.network.priorities.name linux.resources.network.priorities.priority
		linux.namespaces.type
		linux.devices.path linux.devices.type linux.devices.major linux.devices.minor
		linux.seccomp.defaultAction linux.seccomp.syscalls.names linux.seccomp.syscalls.action
		linux.seccomp.syscalls.args.index linux.seccomp.syscalls.args.value linux.seccomp.syscalls.args.op
		linux.memoryPolicy.mode linux.personality.domain`)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// FuzzInspect: a configuration that can be loaded has no problem, and one that cannot has at
// least one. Nothing panics, and every position is in the document.
func FuzzInspect(f *testing.F) {
	f.Add([]byte(`{"ociVersion":"1.0.0","root":{"path":"rootfs"},"process":{"args":"a","user":{"uid":-1}}}`))
	f.Add([]byte(`{"ociVersion":"1.0.0","root":{"path":"rootfs"},"annotations":{"":"","a.b":[1],"a.b":"x"}}`))
	f.Add([]byte(`{"linux":{"sysctl":{"net/a.b":"1"},"namespaces":[{"type":"pid"},{"type":"pid"}]}}`))
	dir := f.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		found := findings(dir, config, nil)
		i := Inspection{Findings: found}
		if loadErr := loadable(dir, config); (loadErr == nil) != (i.Problems() == 0) {
			t.Errorf("it is loaded with %v, and has %+v", loadErr, found)
		}
		lines := strings.Split(string(config), "\n")
		for _, f := range found {
			if f.Line < 1 || f.Line > len(lines) || f.Column < 1 || f.Column > len(lines[f.Line-1])+1 {
				t.Errorf("%+v is not in the document", f)
			}
		}
	})
}

// loadable does what Load does after reading a configuration.
func loadable(dir string, config []byte) error {
	spec, _, err := Decode(config)
	if err != nil {
		return err
	}
	if problems, _ := Validate(spec); len(problems) > 0 {
		return problems[0]
	}
	b := Bundle{Path: dir, Spec: spec}
	return b.findRootfs()
}

// TestManyFindings: many problems are counted and not looked for one by one, and an error is among
// those that are told.
func TestManyFindings(t *testing.T) {
	mounts := strings.Repeat(`{"destination":"/same","type":"tmpfs","options":["rw"]},`, 50_000)
	raw := `{"ociVersion":"1.0.0","root":{"path":"rootfs"},"linux":{"maskedPaths":["/same","relative"]},"mounts":[` + strings.TrimSuffix(mounts, ",") + `]}`
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	found := findings(t.TempDir(), []byte(raw), nil)
	runtime.ReadMemStats(&after)
	if len(found) > minFindings+10 || !slices.ContainsFunc(found, func(f Finding) bool { return !f.Warning }) || !slices.ContainsFunc(found, func(f Finding) bool { return strings.Contains(f.Text, "more findings") }) {
		t.Errorf("%d findings", len(found))
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > uint64(200*len(raw)) {
		t.Errorf("%d bytes were allocated for a document of %d", used, len(raw))
	}
}
