package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write creates files below a directory.
func write(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEngine(t *testing.T) {
	root := t.TempDir()
	program := filepath.Join(root, "usr/local/bin/coracle")
	write(t, root, map[string]string{"usr/local/bin/coracle": "#!", "usr/bin/runc": "#!"})
	for _, c := range []struct {
		what, engine string
		files        map[string]string
		status       Status
		says         string
	}{
		{"containerd 2", "containerd", map[string]string{"etc/containerd/config.toml": `
version = 3
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.walnut]
  runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.walnut.options]
  BinaryName = 'PROGRAM'
`}, OK, `the runtime "walnut" is `},
		{"containerd 1", "containerd", map[string]string{"etc/containerd/config.toml": `
version = 2
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes]
  coracle = { runtime_type = "io.containerd.runc.v2", options = { BinaryName = "PROGRAM" } }
`}, OK, `the runtime "coracle" is `},
		{"another runtime only", "containerd", map[string]string{"etc/containerd/config.toml": `
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = 'ROOT/usr/bin/runc'
`}, Missing, "no runtime is this program"},
		{"docker", "docker", map[string]string{"etc/docker/daemon.json": `{"runtimes": {"coracle": {"path": "PROGRAM"}}, "exec-opts": ["native.cgroupdriver=cgroupfs"]}`}, OK, "cgroup driver cgroupfs"},
		{"docker, a program that is not there", "docker", map[string]string{"etc/docker/daemon.json": `{"runtimes": {"coracle": {"path": "/nowhere/coracle"}}}`}, Missing, "cannot be executed"},
		{"docker, a broken file", "docker", map[string]string{"etc/docker/daemon.json": `{"runtimes"`}, Missing, "cannot be read"},
		{"podman, the user's file counts more", "podman", map[string]string{
			"etc/containers/containers.conf":                      "[engine.runtimes]\ncoracle = [\"/nowhere/coracle\"]\n",
			"home/me/.config/containers/containers.conf.d/a.conf": "[engine.runtimes]\ncoracle = [\"/nowhere/coracle\", \"PROGRAM\"]\n",
		}, OK, `the runtime "coracle" is `},
		{"crio", "crio", map[string]string{"etc/crio/crio.conf.d/50-coracle": "[crio.runtime.runtimes.coracle]\nruntime_path = \"PROGRAM\"\n"}, OK, `the runtime "coracle" is `},
		{"buildkit", "buildkit", map[string]string{"etc/buildkit/buildkitd.toml": "[worker.oci]\nbinary = \"PROGRAM\"\n"}, OK, `is `},
		{"no files", "buildkit", nil, Missing, "none of its files"},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := t.TempDir()
			files := make(map[string]string)
			for name, content := range c.files {
				files[name] = strings.NewReplacer("PROGRAM", program, "ROOT", root).Replace(content)
			}
			write(t, dir, files)
			findings := Engine(c.engine, program, dir, "/home/me")
			if len(findings) == 0 {
				t.Fatal("nothing was found")
			}
			f := findings[0]
			if f.Status != c.status || !strings.Contains(f.Found, c.says) {
				t.Errorf("got %s %q, want %s %q", f.Status, f.Found, c.status, c.says)
			}
			if (f.Status == OK) != (f.Cost == "") || (f.Status == OK) != (f.Mend == "") {
				t.Errorf("status %s with cost %q and mend %q", f.Status, f.Cost, f.Mend)
			}
		})
	}
}

func TestWorst(t *testing.T) {
	ok, degraded := Finding{Status: OK}, Finding{Status: Degraded, Required: true}
	missing, needed := Finding{Status: Missing}, Finding{Status: Missing, Required: true}
	for want, list := range [][]Finding{{ok}, {ok, degraded, missing}, {degraded, needed, ok}} {
		if got := Worst(list); got != want {
			t.Errorf("%v: got %d, want %d", list, got, want)
		}
	}
}

func TestCommands(t *testing.T) {
	got := Commands([]Finding{{Commands: []string{"a", "b"}}, {}, {Commands: []string{"b", "c"}}})
	if strings.Join(got, " ") != "a b c" {
		t.Errorf("got %q", got)
	}
}
