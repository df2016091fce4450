// Package inspect examines a running container: the kernel's current information about its first
// process, compared with its configuration. It only reads.
//
// All information comes from /proc of the host and from cgroup files. Names that processes of the
// container can choose, such as those of open files, are only shown, never opened.
package inspect

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/seccomp"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// Report is the current state of a container.
type Report struct {
	Process    Process     `json:"process"`
	Namespaces []Namespace `json:"namespaces"`
	Mounts     []Mount     `json:"mounts"`
	Seccomp    Seccomp     `json:"seccomp"`
	// Label is the AppArmor or SELinux label; empty when there is none.
	Label string `json:"label,omitempty"`
	// Limits are the current limits: the content of cgroup files.
	Limits []Limit `json:"limits"`
	// Devices are the device rules: on cgroup v1 as the kernel has them, on cgroup v2 as
	// configured.
	Devices []string `json:"devices"`
	Files   []File   `json:"files"`
	Hooks   []Hook   `json:"hooks"`
	// Differences are properties whose current state differs from the configuration.
	Differences []Difference `json:"differences"`
}

// Process is the first process of the container.
type Process struct {
	Pid          int                 `json:"pid"`
	Command      string              `json:"command"`
	UIDs         []int               `json:"uids"` // real, effective, saved, file system; as the runtime sees them
	GIDs         []int               `json:"gids"`
	Groups       []int               `json:"groups"`
	Threads      int                 `json:"threads"`
	NoNewPrivs   bool                `json:"noNewPrivileges"`
	OOMScoreAdj  int                 `json:"oomScoreAdj"`
	Capabilities map[string][]string `json:"capabilities"`
}

// Namespace is a namespace of the first process.
type Namespace struct {
	Type specs.LinuxNamespaceType `json:"type"`
	// Inode identifies the namespace as long as it exists.
	Inode uint64 `json:"inode"`
	// Shared are the others in the namespace: "host", or ids of containers.
	Shared []string `json:"shared,omitempty"`
}

// Mount is a mount in the container's mount namespace.
type Mount struct {
	Destination string `json:"destination"`
	Type        string `json:"type"`
	Source      string `json:"source"`
	// Root is the mounted directory of the file system.
	Root        string `json:"root"`
	Options     string `json:"options"`
	Propagation string `json:"propagation"`
}

// Seccomp is the filter of the first process.
type Seccomp struct {
	// Mode is the kernel's mode: "none", "strict" or "filter".
	Mode    string `json:"mode"`
	Filters int    `json:"filters"`
	// Calls has the system calls by the action of the configured profile; "conditional" are those
	// whose arguments decide.
	Calls map[string][]string `json:"calls,omitempty"`
}

// Limit is a current limit.
type Limit struct {
	File  string `json:"file"`
	Value string `json:"value"`
}

// File is an open file of the first process.
type File struct {
	FD   int    `json:"fd"`
	Path string `json:"path"`
}

// Hook is a hook of the configuration.
type Hook struct {
	Kind string `json:"kind"`
	Path string `json:"path"`
	// Ran reports whether the hook has run, according to the container's status.
	Ran bool `json:"ran"`
}

// Difference is a property whose current state differs from the configuration.
type Difference struct {
	Property   string `json:"property"`
	Configured string `json:"configured"`
	Now        string `json:"now"`
}

// Subject is the container to inspect.
type Subject struct {
	Pid    int
	Status specs.ContainerState
	// Spec is the configuration that the container was created with.
	Spec *specs.Spec
	// Cgroups are the directories of the container's cgroups.
	Cgroups []string
	// Others are the first processes of other containers, by id.
	Others map[string]int
}

// Inspect examines a container. The error wraps os.ErrNotExist or unix.ESRCH when its first
// process has ended.
func Inspect(s Subject) (*Report, error) {
	p := linux.PID(s.Pid)
	r := &Report{Devices: []string{}, Files: []File{}, Hooks: []Hook{}, Limits: []Limit{}, Differences: []Difference{}}
	var err error
	if err = r.process(p, s.Pid); err != nil {
		return nil, err
	}
	if r.Namespaces, err = namespaces(p, s.Others); err != nil {
		return nil, err
	}
	if r.Mounts, err = mounts(p); err != nil {
		return nil, err
	}
	r.Label = label(p)
	r.files(p)
	r.cgroups(s)
	r.hooks(s)
	if r.Seccomp.Mode == "filter" && s.Spec.Linux != nil && s.Spec.Linux.Seccomp != nil {
		if r.Seccomp.Calls, err = calls(s.Spec.Linux.Seccomp); err != nil {
			return nil, err
		}
	}
	r.compare(s)
	return r, nil
}

// process reads /proc/PID/status.
func (r *Report) process(p linux.Process, pid int) error {
	status, err := p.Status()
	if err != nil {
		return err
	}
	number := func(field string) int {
		n, _ := status.Number(field, 0) // 0 for a field that this kernel does not have
		return n
	}
	r.Process = Process{
		Pid: pid, Command: strings.Join(status.Words("Name"), " "), UIDs: numbers(status.Words("Uid")), GIDs: numbers(status.Words("Gid")),
		Groups: numbers(status.Words("Groups")), Threads: number("Threads"), NoNewPrivs: number("NoNewPrivs") == 1, Capabilities: make(map[string][]string),
	}
	for _, set := range []struct{ field, name string }{
		{"CapBnd", "bounding"}, {"CapEff", "effective"}, {"CapPrm", "permitted"}, {"CapInh", "inheritable"}, {"CapAmb", "ambient"},
	} {
		r.Process.Capabilities[set.name] = capabilities(strings.Join(status.Words(set.field), ""))
	}
	modes := []string{"none", "strict", "filter"}
	if mode := number("Seccomp"); mode < len(modes) {
		r.Seccomp.Mode = modes[mode]
	}
	r.Seccomp.Filters = number("Seccomp_filters")
	if score, err := p.Read("oom_score_adj"); err == nil {
		r.Process.OOMScoreAdj = numberOf(strings.TrimSpace(string(score)))
	}
	return nil
}

// capabilities returns the names in a hexadecimal set.
func capabilities(hex string) []string {
	set, err := strconv.ParseUint(hex, 16, 64)
	if err != nil || set == 0 {
		return []string{}
	}
	return strings.Split(bundle.CapabilityNames(set), ", ")
}

func numbers(words []string) []int {
	list := []int{}
	for _, f := range words {
		list = append(list, numberOf(f))
	}
	return list
}

func numberOf(text string) int {
	n, _ := strconv.Atoi(text) //allow:atoi a number that the kernel has written
	return n
}

// namespaces returns the namespaces of a process, and the others in each.
func namespaces(p linux.Process, others map[string]int) (list []Namespace, err error) {
	ids := slices.Sorted(maps.Keys(others))
	for _, kind := range oci.NamespaceTypes() {
		t := specs.LinuxNamespaceType(kind)
		file := oci.NamespaceFile(t)
		inode, err := p.Namespace(file)
		if errors.Is(err, unix.ENOENT) {
			continue // a kernel without this kind
		}
		if err != nil {
			return nil, err
		}
		n := Namespace{Type: t, Inode: inode}
		if host, err := linux.Self.Namespace(file); err == nil && host == inode {
			n.Shared = append(n.Shared, "host")
		}
		for _, id := range ids {
			if theirs, err := linux.PID(others[id]).Namespace(file); err == nil && theirs == inode {
				n.Shared = append(n.Shared, id)
			}
		}
		list = append(list, n)
	}
	return list, nil
}

// mounts returns the mounts in the process's mount namespace, as the process sees them.
func mounts(p linux.Process) ([]Mount, error) {
	//allow:path the host's /proc
	table, err := os.Open(p.Path("mountinfo"))
	if err != nil {
		return nil, err
	}
	defer table.Close()
	infos, err := mountinfo.GetMountsFromReader(table, nil)
	if err != nil {
		return nil, err
	}
	list := make([]Mount, 0, len(infos))
	for _, m := range infos {
		list = append(list, Mount{Destination: m.Mountpoint, Type: m.FSType, Source: m.Source, Root: m.Root, Options: join(m.Options, m.VFSOptions), Propagation: propagation(m.Optional)})
	}
	return list, nil
}

// join joins the options of a mount and those of its file system.
func join(mount, fs string) string {
	options := strings.Split(mount, ",")
	for _, o := range strings.Split(fs, ",") {
		if o != "" && o != "rw" && !slices.Contains(options, o) && o != "ro" {
			options = append(options, o)
		}
	}
	return strings.Join(options, ",")
}

// propagation returns the propagation for the optional fields of a mount.
func propagation(optional string) string {
	shared, slave := strings.Contains(optional, "shared:"), strings.Contains(optional, "master:")
	switch {
	case shared && slave:
		return "slave and shared"
	case shared:
		return "shared"
	case slave:
		return "slave"
	case strings.Contains(optional, "unbindable"):
		return "unbindable"
	}
	return "private"
}

// label returns the AppArmor or SELinux label.
func label(p linux.Process) string {
	for _, file := range []string{"attr/apparmor/current", "attr/current"} {
		if data, err := p.Read(file); err == nil {
			return strings.TrimRight(string(data), "\n\x00")
		}
	}
	return ""
}

// files reads the open files of the process. If the process may not be inspected, there are none.
func (r *Report) files(p linux.Process) {
	//allow:path the host's /proc
	entries, err := os.ReadDir(p.Path("fd"))
	if err != nil {
		return
	}
	for _, e := range entries {
		//allow:path the same; what the link says is only shown
		if path, err := os.Readlink(p.Path("fd/" + e.Name())); err == nil {
			r.Files = append(r.Files, File{FD: numberOf(e.Name()), Path: path})
		}
	}
	sort.Slice(r.Files, func(i, j int) bool { return r.Files[i].FD < r.Files[j].FD })
}

// limitFiles are the limit files of both cgroup versions.
var limitFiles = []string{
	"memory.max", "memory.high", "memory.low", "memory.min", "memory.swap.max", "memory.oom.group", "cpu.max", "cpu.max.burst", "cpu.weight", "cpu.idle",
	"cpuset.cpus", "cpuset.cpus.effective", "cpuset.mems", "cpuset.mems.effective", "pids.max", "io.max", "io.weight", "cgroup.freeze",
	"memory.limit_in_bytes", "memory.soft_limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.kmem.tcp.limit_in_bytes", "memory.swappiness",
	"cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.cfs_burst_us", "cpu.rt_runtime_us", "cpuset.effective_cpus", "cpuset.effective_mems",
	"blkio.weight", "blkio.bfq.weight", "blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device", "blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device",
	"net_cls.classid", "net_prio.ifpriomap", "freezer.state",
}

// cgroups reads the current limits, and the device rules.
func (r *Report) cgroups(s Subject) {
	seen := make(map[string]bool)
	for _, dir := range s.Cgroups {
		for _, file := range limitFiles {
			path := filepath.Join(dir, file)
			//allow:path files of the cgroups of the host
			data, err := linux.ReadFollow(path, 1<<16)
			value := strings.TrimSpace(string(data))
			if err != nil || value == "" || seen[path] {
				continue
			}
			seen[path] = true
			r.Limits = append(r.Limits, Limit{File: path, Value: strings.ReplaceAll(value, "\n", "; ")})
		}
		//allow:path the same
		if data, err := linux.ReadFollow(filepath.Join(dir, "devices.list"), 1<<16); err == nil {
			r.Devices = strings.Split(strings.TrimSpace(string(data)), "\n")
		}
	}
	if len(r.Devices) > 0 || s.Spec.Linux == nil || s.Spec.Linux.Resources == nil {
		return
	}
	for _, d := range s.Spec.Linux.Resources.Devices {
		verb := "deny"
		if d.Allow {
			verb = "allow"
		}
		r.Devices = append(r.Devices, fmt.Sprintf("%s %s %s:%s %s", verb, d.Type, majorMinor(d.Major), majorMinor(d.Minor), d.Access))
	}
}

func majorMinor(n *int64) string {
	if n == nil || *n < 0 {
		return "*"
	}
	return strconv.FormatInt(*n, 10)
}

// hooks lists the hooks of the configuration.
func (r *Report) hooks(s Subject) {
	h := s.Spec.Hooks
	if h == nil {
		return
	}
	created := s.Status != specs.StateCreating
	started := created && s.Status != specs.StateCreated
	for _, kind := range []struct {
		name string
		list []specs.Hook
		ran  bool
	}{
		{"prestart", h.Prestart, created}, //lint:ignore SA1019 deprecated is not gone: engines still use prestart
		{"createRuntime", h.CreateRuntime, created},
		{"createContainer", h.CreateContainer, created},
		{"startContainer", h.StartContainer, started},
		{"poststart", h.Poststart, started},
		{"poststop", h.Poststop, false},
	} {
		for _, hook := range kind.list {
			r.Hooks = append(r.Hooks, Hook{Kind: kind.name, Path: hook.Path, Ran: kind.ran})
		}
	}
}

// calls groups the system calls by the action of a profile.
func calls(p *specs.LinuxSeccomp) (map[string][]string, error) {
	verdicts, err := seccomp.Verdicts(p)
	if err != nil {
		return nil, err
	}
	by := make(map[string][]string)
	for _, v := range verdicts {
		word := string(v.Action)
		if v.Conditional {
			word = "conditional"
		}
		by[word] = append(by[word], v.Name)
	}
	return by, nil
}
