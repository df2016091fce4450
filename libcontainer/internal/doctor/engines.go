package doctor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/sys/unix"
)

// engine is an engine and the files that configure its runtimes.
type engine struct {
	name string
	// files are read in this order, and a later file overrides earlier ones. A pattern means all
	// files that it matches, sorted by name. "~" is the home directory.
	files []string
	// runtimes returns the programs that a file names, by the name of the runtime.
	runtimes func(config table) map[string]string
	// systemd returns the cgroup driver that a file sets; "" when it sets none.
	systemd func(config table) string
	// example is what to write to which file.
	example string
	reload  string
}

// table is a table of TOML, or an object of JSON.
type table map[string]any

// engines are the engines with known configuration files.
var engines = []engine{
	{
		name:     "containerd",
		files:    []string{"/etc/containerd/config.toml", "/etc/containerd/conf.d/*.toml"},
		runtimes: containerdRuntimes,
		systemd:  func(table) string { return "" },
		example:  "a table runtimes.coracle with runtime_type = 'io.containerd.runc.v2' and options.BinaryName = '%s' in /etc/containerd/config.toml",
		reload:   "systemctl restart containerd",
	},
	{
		name:  "docker",
		files: []string{"/etc/docker/daemon.json"},
		runtimes: func(c table) map[string]string {
			return programs(c.table("runtimes"), func(v any) string { return asTable(v).text("path") })
		},
		systemd: func(c table) string {
			for _, o := range c.list("exec-opts") {
				if value, ok := strings.CutPrefix(o, "native.cgroupdriver="); ok {
					return value
				}
			}
			return ""
		},
		example: `"runtimes": {"coracle": {"path": "%s"}} in /etc/docker/daemon.json`,
		reload:  "systemctl reload docker",
	},
	{
		name: "podman",
		files: []string{
			"/usr/share/containers/containers.conf", "/etc/containers/containers.conf", "/etc/containers/containers.conf.d/*.conf",
			"~/.config/containers/containers.conf", "~/.config/containers/containers.conf.d/*.conf",
		},
		runtimes: func(c table) map[string]string {
			return programs(c.table("engine", "runtimes"), func(v any) string { return firstProgram(texts(v)) })
		},
		systemd: func(c table) string { return c.table("engine").text("cgroup_manager") },
		example: `coracle = ["%s"] in the table engine.runtimes of /etc/containers/containers.conf`,
	},
	{
		name:  "crio",
		files: []string{"/etc/crio/crio.conf", "/etc/crio/crio.conf.d/*"},
		runtimes: func(c table) map[string]string {
			return programs(c.table("crio", "runtime", "runtimes"), func(v any) string { return asTable(v).text("runtime_path") })
		},
		systemd: func(c table) string { return c.table("crio", "runtime").text("cgroup_manager") },
		example: `a table crio.runtime.runtimes.coracle with runtime_path = "%s" in a file of /etc/crio/crio.conf.d`,
		reload:  "systemctl restart crio",
	},
	{
		name:  "buildkit",
		files: []string{"/etc/buildkit/buildkitd.toml", "~/.config/buildkit/buildkitd.toml"},
		runtimes: func(c table) map[string]string {
			if binary := c.table("worker", "oci").text("binary"); binary != "" {
				return map[string]string{"worker.oci.binary": binary}
			}
			return nil
		},
		systemd: func(table) string { return "" },
		example: `binary = "%s" in the table worker.oci of /etc/buildkit/buildkitd.toml`,
		reload:  "systemctl restart buildkit",
	},
}

// Engines returns the names for [Engine].
func Engines() (names []string) {
	for _, e := range engines {
		names = append(names, e.name)
	}
	return names
}

// Engine examines whether an engine on this host is configured to use this program, which is at
// the given path. root replaces "/" in tests; home is the user's home directory.
func Engine(name, program, root, home string) []Finding {
	i := slices.IndexFunc(engines, func(e engine) bool { return e.name == name })
	if i < 0 {
		return nil
	}
	e := &engines[i]
	named, driver := map[string]string{}, ""
	var read []string
	var findings []Finding
	for _, file := range e.list(root, home) {
		config, err := parse(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			findings = append(findings, Finding{
				Name: name + ".file", Status: Missing, Found: err.Error(), Cost: "the engine does not start, or ignores the file", Mend: "correct it",
			})
			continue
		}
		read = append(read, file)
		for runtime, path := range e.runtimes(config) {
			named[runtime] = path
		}
		if d := e.systemd(config); d != "" {
			driver = d
		}
	}
	return append(findings, e.judge(named, driver, program, read))
}

// judge returns the finding for the names of runtimes.
func (e *engine) judge(named map[string]string, driver, program string, read []string) Finding {
	f := Finding{Name: e.name + ".runtime", Status: OK}
	where := "none of its files of configuration exists"
	if len(read) > 0 {
		where = strings.Join(read, ", ")
	}
	runtime, path := ours(named, program)
	switch {
	case runtime == "":
		f.Status, f.Found = Missing, "no runtime is this program ("+where+")"
		f.Cost, f.Mend = "the engine does not use it", "write "+fmt.Sprintf(e.example, program)
		if e.reload != "" {
			f.Mend += ", then: " + e.reload
		}
		return f
	case !executable(path):
		f.Status, f.Found = Missing, fmt.Sprintf("the runtime %q is %s, which cannot be executed", runtime, path)
		f.Cost, f.Mend = "containers with this runtime fail", "install the program there, or name where it is: "+program
		return f
	}
	f.Found = fmt.Sprintf("the runtime %q is %s", runtime, path)
	if driver != "" {
		f.Found += ", with the cgroup driver " + driver
	}
	if driver == "systemd" && !exists("/run/systemd/system") {
		f.Status, f.Cost, f.Mend = Degraded, "systemd is not running here, so containers are refused", "use the driver cgroupfs"
	}
	return f
}

// ours finds this program among runtimes: the same file or, failing that, the same name.
func ours(named map[string]string, program string) (runtime, path string) {
	names := slices.Sorted(maps.Keys(named))
	for _, n := range names {
		if sameFile(named[n], program) {
			return n, named[n]
		}
	}
	for _, n := range names {
		if filepath.Base(named[n]) == filepath.Base(program) {
			return n, named[n]
		}
	}
	return "", ""
}

func sameFile(a, b string) bool {
	//allow:path files of the host that the administrator has named
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	//allow:path the same
	two, err := os.Stat(b)
	return err == nil && os.SameFile(one, two)
}

func executable(path string) bool {
	//allow:path a program of the host that the administrator has named
	return unix.Access(path, unix.X_OK) == nil
}

// list returns the engine's files that exist.
func (e *engine) list(root, home string) (files []string) {
	for _, pattern := range e.files {
		if rest, ok := strings.CutPrefix(pattern, "~/"); ok {
			if home == "" {
				continue
			}
			pattern = filepath.Join(home, rest)
		}
		pattern = filepath.Join(root, pattern)
		if !strings.Contains(pattern, "*") {
			files = append(files, pattern)
			continue
		}
		//allow:path directories of the host at known places
		found, _ := filepath.Glob(pattern)
		files = append(files, found...)
	}
	return files
}

// parse reads a file of TOML or JSON.
func parse(path string) (table, error) {
	//allow:path a file of the host at a known place
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var t table
	if filepath.Ext(path) == ".json" {
		err = json.Unmarshal(content, &t)
	} else {
		err = toml.Unmarshal(content, &t)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return t, nil
}

// table returns the table at a path of keys; nil when there is none.
func (t table) table(keys ...string) table {
	for _, k := range keys {
		t = asTable(t[k])
	}
	return t
}

func (t table) text(key string) string {
	s, _ := t[key].(string)
	return s
}

func (t table) list(key string) []string { return texts(t[key]) }

func asTable(v any) table {
	switch v := v.(type) {
	case map[string]any:
		return v
	case table:
		return v
	}
	return nil
}

func texts(v any) (list []string) {
	all, _ := v.([]any)
	for _, v := range all {
		if s, ok := v.(string); ok {
			list = append(list, s)
		}
	}
	return list
}

// programs returns the programs in the entries of a table.
func programs(t table, of func(any) string) map[string]string {
	found := make(map[string]string)
	for name, v := range t {
		if path := of(v); path != "" {
			found[name] = path
		}
	}
	return found
}

// firstProgram returns the first path that exists, or the first one.
func firstProgram(paths []string) string {
	for _, p := range paths {
		if executable(p) {
			return p
		}
	}
	if len(paths) > 0 {
		return paths[0]
	}
	return ""
}

// containerdRuntimes returns the runtimes of the CRI plugin, whose name has changed.
func containerdRuntimes(c table) map[string]string {
	found := make(map[string]string)
	for _, plugin := range []string{"io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"} {
		runtimes := c.table("plugins", plugin, "containerd", "runtimes")
		for name, path := range programs(runtimes, func(v any) string { return asTable(v).table("options").text("BinaryName") }) {
			found[name] = path
		}
	}
	return found
}
