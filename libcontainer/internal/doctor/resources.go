package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/host/idmap"
	"coracle/libcontainer/internal/host/systemd"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/bundle"
)

func ptr[T any](v T) *T { return &v }

// limited are resources with a limit, and the name of its controller.
type limited struct {
	controller string
	resources  specs.LinuxResources
}

// engineLimits are limits of each kind that engines set.
func engineLimits() []limited {
	return []limited{
		{"memory", specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(1 << 30))}}},
		{"cpu", specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr(uint64(1024)), Quota: ptr(int64(100000)), Period: ptr(uint64(100000))}}},
		{"cpuset", specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0"}}},
		{"pids", specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(1000))}}},
		{"blkio", specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{ThrottleReadBpsDevice: []specs.LinuxThrottleDevice{{Rate: 1 << 20}}}}},
	}
}

// cgroups checks, with the code that creates cgroups, what it could do here.
func (p *patient) cgroups() {
	mode := "cgroup v1"
	unified := cgroup.IsUnified("/sys/fs/cgroup")
	switch {
	case unified:
		mode = "cgroup v2"
	case cgroup.IsUnified("/sys/fs/cgroup/unified"):
		mode = "cgroup v1, and v2 for what it does not have"
	}
	f := Finding{Name: "cgroups", Found: mode}
	m, err := cgroup.New(&specs.Spec{}, "doctor", cgroup.Cgroupfs)
	if err == nil {
		if problems := m.CheckHost(nil, false); len(problems) > 0 {
			err = errors.New(problems[0].Text)
		}
	}
	if err != nil {
		f.Status, f.Found = Missing, mode+": "+err.Error()
		f.Cost = "containers are made without a cgroup: no limits, no statistics, no pause"
		if p.Privileged {
			f.Cost = "containers are refused unless the cgroup driver is \"disabled\""
		}
		f.Mend = p.mendCgroups()
		p.add(f)
		return
	}
	p.add(f)
	var absent []string
	for _, l := range engineLimits() {
		m, err := cgroup.New(&specs.Spec{Linux: &specs.Linux{Resources: &l.resources}}, "doctor", cgroup.Cgroupfs)
		if err != nil || slices.ContainsFunc(m.CheckHost(nil, false), func(b bundle.Problem) bool {
			return strings.HasPrefix(b.Property, "linux.resources."+property(l.controller))
		}) {
			absent = append(absent, l.controller)
		}
	}
	f = Finding{Name: "cgroups.controllers", Found: "memory, cpu, cpuset, pids and block I/O can be limited"}
	if len(absent) > 0 {
		f.Status, f.Found = Degraded, "not available: "+strings.Join(absent, ", ")
		f.Cost = "configurations with these limits are refused"
		f.Mend = "enable the controllers, in the kernel and for the cgroups above"
		if !p.Privileged {
			f.Mend, f.Commands = delegate(p.UID)
		}
	}
	p.add(f)
}

// property is the part of linux.resources that a controller limits.
func property(controller string) string {
	switch controller {
	case "blkio":
		return "blockIO"
	case "cpuset":
		return "cpu"
	}
	return controller
}

func (p *patient) mendCgroups() string {
	if p.Privileged {
		return "mount the cgroup file systems at /sys/fs/cgroup, writable"
	}
	return "run in a session of systemd, with --systemd-cgroup"
}

// delegate returns the commands that make systemd delegate controllers to user sessions.
func delegate(uid int) (mend string, commands []string) {
	return "let systemd delegate the controllers to the user; it takes effect with the next login", []string{
		"mkdir -p /etc/systemd/system/user@.service.d",
		`printf '[Service]\nDelegate=cpu cpuset io memory pids\n' >/etc/systemd/system/user@.service.d/delegate.conf`,
		"systemctl daemon-reload",
	}
}

// systemdTimeout is how long systemd may take to answer.
const systemdTimeout = 2 * time.Second

// systemd asks the service manager that is responsible for this user.
func (p *patient) systemd() {
	f := Finding{Name: "systemd"}
	i, err := systemd.Own()
	version := ""
	if err == nil {
		version, err = i.Version(systemdTimeout)
	}
	if err != nil {
		f.Status, f.Found = Missing, err.Error()
		f.Cost = "--systemd-cgroup does not work; Kubernetes and Podman use it where systemd is the init"
		f.Mend = "use the cgroupfs driver, here and in the engine"
		if i.User {
			f.Mend, f.Commands = "start the user's service manager", []string{fmt.Sprintf("loginctl enable-linger %d", p.UID)}
		}
		p.add(f)
		return
	}
	f.Found = "systemd " + version + " answers"
	if i.User {
		f.Found += ", that of the user"
		have := controllersOf(filepath.Join("/sys/fs/cgroup", i.Root))
		var absent []string
		for _, c := range []string{"cpu", "memory", "pids"} {
			if !slices.Contains(have, c) {
				absent = append(absent, c)
			}
		}
		if len(absent) > 0 {
			f.Status, f.Found = Degraded, f.Found+", without the controllers "+strings.Join(absent, ", ")
			f.Cost = "limits of these kinds are refused"
			f.Mend, f.Commands = delegate(p.UID)
		}
	}
	p.add(f)
}

// controllersOf returns the controllers of a cgroup v2.
func controllersOf(dir string) []string {
	return strings.Fields(read(filepath.Join(dir, "cgroup.controllers")))
}

// few is a number of processes that a single container may need.
const few = 1000

// limits checks limits that containers inherit.
func (p *patient) limits() {
	f := Finding{Name: "limits.processes", Found: "more than enough processes can be made"}
	for _, l := range []struct {
		what, mend string
		limit      int
	}{
		{"kernel.pid_max", "sysctl -w kernel.pid_max=4194304", number("/proc/sys/kernel/pid_max")},
		{"kernel.threads-max", "", number("/proc/sys/kernel/threads-max")},
		{"the limit of processes of this user (ulimit -u)", "", rlimit(unix.RLIMIT_NPROC)},
		{"pids.max of the cgroup of this process", "", ownPidsMax()},
	} {
		if l.limit >= 0 && l.limit < few {
			f.Status, f.Found = Degraded, fmt.Sprintf("%s is %d", l.what, l.limit)
			f.Cost, f.Mend = "containers with many processes fail", "raise it"
			if l.mend != "" {
				f.Commands = append(f.Commands, l.mend)
			}
		}
	}
	p.add(f)
	f = Finding{Name: "limits.files", Found: "enough files can be open"}
	if n := rlimit(unix.RLIMIT_NOFILE); n >= 0 && n < few {
		f.Status, f.Found = Degraded, fmt.Sprintf("%d files can be open (ulimit -n)", n)
		f.Cost = "many mounts take longer; processes in containers get no more without process.rlimits"
		f.Mend = "raise the hard limit of the service or session (LimitNOFILE= of systemd, limits.conf)"
	}
	p.add(f)
}

// rlimit returns the hard limit of this process; -1 means infinity.
func rlimit(resource int) int {
	var l unix.Rlimit
	if unix.Getrlimit(resource, &l) != nil || l.Max > 1<<40 {
		return -1
	}
	return int(l.Max)
}

// ownPidsMax returns the process limit of this process's cgroup; -1 means none.
func ownPidsMax() int {
	own, err := linux.Self.Cgroups()
	if err != nil {
		return -1
	}
	if cgroup.IsUnified("/sys/fs/cgroup") {
		return number(filepath.Join("/sys/fs/cgroup", own[""], "pids.max"))
	}
	return number(filepath.Join("/sys/fs/cgroup/pids", own["pids"], "pids.max"))
}

// subordinate checks the subordinate ids of a user without privileges.
func (p *patient) subordinate() {
	if p.UID == 0 {
		return
	}
	f := Finding{Name: "subordinate-ids"}
	for _, name := range []string{"newuidmap", "newgidmap"} {
		path, able, found := idmap.Helper(name)
		switch {
		case !found:
			f.Status, f.Found = Missing, name+" is not installed"
			f.Mend, f.Commands = "install it (Debian has it in the package uidmap)", []string{"apt-get install uidmap"}
		case !able:
			f.Status, f.Found = Missing, path+" is neither set-user-id root nor has capabilities"
			f.Mend, f.Commands = "install it anew", []string{"apt-get install --reinstall uidmap"}
		}
	}
	if f.Status == "" {
		uids, gids := idmap.Own(p.UID, os.Getegid())
		if len(uids) < 2 || len(gids) < 2 {
			f.Status, f.Found = Missing, "this user has no subordinate ids (/etc/subuid, /etc/subgid)"
			f.Mend, f.Commands = "give the user a range", []string{fmt.Sprintf("usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \"$(id -nu %d)\"", p.UID)}
		} else {
			f.Found = fmt.Sprintf("%d user ids and %d group ids can be mapped", total(uids), total(gids))
		}
	}
	if f.Status != "" {
		f.Cost = "containers of this user have one user and one group: packages cannot be installed in them, and most images need more"
	}
	p.add(f)
}

func total(ids []specs.LinuxIDMapping) (n uint64) {
	for _, m := range ids {
		n += uint64(m.Size)
	}
	return n
}

// stateRoot checks the directory for the state.
func (p *patient) stateRoot() {
	f := Finding{Name: "state", Required: true}
	dir := p.Root
	for dir != "/" && !exists(dir) {
		dir = filepath.Dir(dir)
	}
	var st unix.Statfs_t
	//allow:path the state root that the caller has named
	statErr := unix.Statfs(dir, &st)
	//allow:path the same
	accessErr := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	switch {
	case statErr != nil || accessErr != nil:
		f.Status, f.Found, f.Cost = Missing, fmt.Sprintf("%s cannot be written to", dir), "no container can be made"
		f.Mend = "name a directory of this user with --root, or set XDG_RUNTIME_DIR"
	case st.Type != unix.TMPFS_MAGIC:
		f.Status, f.Found = Degraded, fmt.Sprintf("%s is not on a tmpfs", dir)
		f.Cost = "after a reboot, containers of before are listed as stopped until they are deleted"
		f.Mend = "keep the state on a tmpfs, such as /run"
	default:
		f.Found = fmt.Sprintf("%s is on a tmpfs and can be written to", dir)
	}
	p.add(f)
}

// criu looks for the program that checkpoint and restore need.
func (p *patient) criu() {
	for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		//allow:path programs of the host at fixed places
		if path := filepath.Join(dir, "criu"); unix.Access(path, unix.X_OK) == nil {
			p.add(Finding{Name: "criu", Found: path})
			return
		}
	}
	p.add(Finding{
		Name: "criu", Status: Missing, Found: "criu is not installed", Cost: "checkpoint and restore do not work",
		Mend: "install it", Commands: []string{"apt-get install criu"},
	})
}
