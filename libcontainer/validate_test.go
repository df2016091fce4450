package libcontainer

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci/bundle"
)

// bundleWith writes a bundle with a configuration.
func bundleWith(t testing.TB, config []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// agree compares Validate with Plan, which does all that Create does before it has effects.
func agree(t *testing.T, r *Runtime, dir string) (refused bool) {
	t.Helper()
	_, refusal := r.Plan("demo", CreateOptions{Bundle: dir})
	inspection, err := r.Validate(dir, "", false)
	if err != nil {
		t.Fatal(err)
	}
	if errors.Is(refusal, fs.ErrNotExist) || refusal != nil && strings.Contains(refusal.Error(), "the systemd driver") {
		return true // depends on sources of this host, and its systemd
	}
	if (refusal != nil) != (inspection.Problems() > 0) {
		t.Errorf("create: %v, validate: %v", refusal, inspection.Findings)
	}
	return refusal != nil
}

// TestValidateAgreesWithPlan has configurations that are refused, for reasons from every package,
// and similar ones that are not.
func TestValidateAgreesWithPlan(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	many := make([]specs.LinuxSyscall, 0, 3000)
	for i := range cap(many) {
		many = append(many, specs.LinuxSyscall{
			Names: []string{"read"}, Action: specs.ActErrno,
			Args: []specs.LinuxSeccompArg{{Index: 0, Op: specs.OpEqualTo, Value: uint64(i)}, {Index: 1, Op: specs.OpEqualTo, Value: uint64(i)}},
		})
	}
	filter := func(s *specs.Spec, f specs.LinuxSeccomp) { s.Linux.Seccomp = &f }
	resources := func(s *specs.Spec) *specs.LinuxResources { return s.Linux.Resources }
	big, small := int64(1<<40), int64(1<<20)
	for name, change := range map[string]func(*specs.Spec){
		"ok: nothing":                    func(*specs.Spec) {},
		"ok: hostname of its own":        func(s *specs.Spec) { s.Hostname = "x" },
		"no args":                        func(s *specs.Spec) { s.Process.Args = nil },
		"long PATH":                      func(s *specs.Spec) { s.Process.Env = []string{"PATH=" + long} },
		"long variable":                  func(s *specs.Spec) { s.Process.Env = []string{"A=" + long}; s.Process.Cwd = "" },
		"ok: long PATH, command by path": func(s *specs.Spec) { s.Process.Env = []string{"PATH=" + long}; s.Process.Args = []string{"/bin/sh"} },
		"domainname twice": func(s *specs.Spec) {
			s.Domainname, s.Linux.Sysctl = "a", map[string]string{"kernel.domainname": "a"}
		},
		"hostname by sysctl": func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"kernel.hostname": "a"} },
		"affinity":           func(s *specs.Spec) { s.Process.ExecCPUAffinity = &specs.CPUAffinity{Final: "3-1"} },
		"two devices, one path": func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/a", Type: "c", Major: 1, Minor: 3}, {Path: "/dev/a", Type: "c", Major: 1, Minor: 5}}
		},
		"filter that denies execve": func(s *specs.Spec) {
			filter(s, specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"execve"}, Action: specs.ActErrno}}})
		},
		"filter that denies all":   func(s *specs.Spec) { filter(s, specs.LinuxSeccomp{DefaultAction: specs.ActKill}) },
		"filter too large":         func(s *specs.Spec) { filter(s, specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: many}) },
		"filter without action":    func(s *specs.Spec) { filter(s, specs.LinuxSeccomp{}) },
		"ok: filter":               func(s *specs.Spec) { filter(s, specs.LinuxSeccomp{DefaultAction: specs.ActAllow}) },
		"cgroup of another driver": func(s *specs.Spec) { s.Linux.CgroupsPath = "a.slice:b:c" },
		"cgroup above":             func(s *specs.Spec) { s.Linux.CgroupsPath = "/a/../.." },
		"swap below memory":        func(s *specs.Spec) { resources(s).Memory = &specs.LinuxMemory{Limit: &big, Swap: &small} },
		"size of pages":            func(s *specs.Spec) { resources(s).HugepageLimits = []specs.LinuxHugepageLimit{{Pagesize: "2M"}} },
		"mapping without a namespace": func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Source: "/", Options: []string{"bind", "idmap"}})
		},
		"option of bind mounts": func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Source: "/", Options: []string{"bind", "size=1"}})
		},
		"host's uts":             func(s *specs.Spec) { s.Linux.Namespaces[3].Path = "/proc/self/ns/uts" },
		"sysctl of no namespace": func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"vm.swappiness": "1"} },
		"context type":           func(s *specs.Spec) { s.Annotations = map[string]string{"run.oci.mount_context_type": "label"} },
		"root of the host":       func(s *specs.Spec) { s.Root.Path = "/" },
		"no rootfs":              func(s *specs.Spec) { s.Root.Path = "" },
		"label":                  func(s *specs.Spec) { s.Process.ApparmorProfile = "x\n" },
		"rdt":                    func(s *specs.Spec) { s.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: "a/b"} },
		"offsets":                func(s *specs.Spec) { s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 1}} },
	} {
		t.Run(name, func(t *testing.T) {
			s := bundle.Default()
			change(s)
			data, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			if _, isUTS := strings.CutSuffix(name, "uts"); isUTS {
				// Plan opens no sources; create does.
				inspection, err := (&Runtime{}).Validate(bundleWith(t, data), "", false)
				if err != nil || inspection.Problems() == 0 {
					t.Error("valid", err)
				}
				return
			}
			if refused := agree(t, &Runtime{}, bundleWith(t, data)); refused == strings.HasPrefix(name, "ok: ") {
				t.Errorf("refused: %v", refused)
			}
		})
	}
}

// TestValidateAgreesWithTheDriver has configurations that only one driver refuses.
func TestValidateAgreesWithTheDriver(t *testing.T) {
	limit := int64(10)
	for _, change := range []func(*specs.Spec){
		func(s *specs.Spec) { s.Linux.CgroupsPath = "a:b:c" },
		func(s *specs.Spec) { s.Linux.CgroupsPath = "/a" },
		func(s *specs.Spec) { s.Linux.CgroupsPath = "a.slice:b:c" },
		func(s *specs.Spec) { s.Annotations = map[string]string{"org.systemd.property.ExecStart": "'x'"} },
		func(s *specs.Spec) { s.Linux.Resources.Pids = &specs.LinuxPids{Limit: &limit} },
	} {
		s := bundle.Default()
		change(s)
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		dir := bundleWith(t, data)
		for _, driver := range []CgroupDriver{CgroupCgroupfs, CgroupSystemd, CgroupDisabled} {
			agree(t, &Runtime{CgroupDriver: driver}, dir)
		}
	}
}

// TestProgramsAreValid: Validate accepts the configurations of the golden programs.
func TestProgramsAreValid(t *testing.T) {
	files, err := filepath.Glob("internal/initprog/compile/testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c struct{ Config json.RawMessage }
		if err := json.Unmarshal(data, &c); err != nil {
			t.Fatal(err)
		}
		config := bytes.ReplaceAll(c.Config, []byte("/proc/5/"), []byte("/no/such/")) // a process of this host
		i, err := (&Runtime{}).Validate(bundleWith(t, config), "", false)
		if err != nil || i.Problems() > 0 {
			t.Errorf("%s: %v %v", file, err, i.Findings)
		}
	}
}

// FuzzValidate looks for configurations on which Validate and Plan disagree.
func FuzzValidate(f *testing.F) {
	data, err := json.Marshal(bundle.Default())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"ociVersion":"1.0.0","root":{"path":"rootfs"},"process":{"args":["sh"],"cwd":"/"},"linux":{"namespaces":[{"type":"mount"}],"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}}}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		if len(config) > 1<<16 {
			return
		}
		agree(t, &Runtime{}, bundleWith(t, config))
	})
}
