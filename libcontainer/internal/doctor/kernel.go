package doctor

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/trial"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/seccomp"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci"
)

// systemCalls are those that containers need, the newest first.
var systemCalls = []struct {
	name   string
	number uintptr
}{
	{"mount_setattr", unix.SYS_MOUNT_SETATTR}, {"close_range", unix.SYS_CLOSE_RANGE}, {"openat2", unix.SYS_OPENAT2},
	{"clone3", unix.SYS_CLONE3}, {"pidfd_open", unix.SYS_PIDFD_OPEN}, {"fsopen", unix.SYS_FSOPEN}, {"fsconfig", unix.SYS_FSCONFIG},
	{"fsmount", unix.SYS_FSMOUNT}, {"move_mount", unix.SYS_MOVE_MOUNT}, {"open_tree", unix.SYS_OPEN_TREE},
	{"pidfd_send_signal", unix.SYS_PIDFD_SEND_SIGNAL}, {"statx", unix.SYS_STATX}, {"memfd_create", unix.SYS_MEMFD_CREATE},
}

// kernel tries each system call with arguments that no kernel accepts.
func (p *patient) kernel() {
	const invalid = ^uintptr(0)
	var absent []string
	for _, c := range systemCalls {
		if _, _, errno := unix.RawSyscall6(c.number, invalid, 0, invalid, 0, invalid, invalid); errno == unix.ENOSYS {
			absent = append(absent, c.name)
		}
	}
	f := Finding{Name: "kernel", Required: true, Found: release() + ", all system calls that containers need"}
	if len(absent) > 0 {
		f.Status, f.Found = Missing, fmt.Sprintf("%s does not have %s", release(), strings.Join(absent, ", "))
		f.Cost = "no container can be made"
		f.Mend = "Linux 5.14 or newer, on the host itself: a container or sandbox may hide system calls"
	}
	p.add(f)
}

// release returns the name of the kernel.
func release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "this kernel"
	}
	return "Linux " + unix.ByteSliceToString(u.Release[:]) + " " + runtime.GOARCH
}

// program runs a program from a sealed memfd, as the first process of a container is run.
func (p *patient) program() {
	f := Finding{Name: "memfd", Required: true, Found: "a sealed program in memory can be executed"}
	if err := launch.TryNamespaces(0, false); err != nil {
		f.Status, f.Found, f.Cost = Missing, fmt.Sprintf("a sealed program in memory cannot be executed: %v", err), "no container can be made"
		f.Mend = "a security policy or a sandbox forbids it"
		if number("/proc/sys/vm/memfd_noexec") == 2 {
			f.Mend, f.Commands = "vm.memfd_noexec is 2", []string{"sysctl -w vm.memfd_noexec=1"}
		}
	}
	p.add(f)
}

// namespaces makes each kind of namespace.
func (p *patient) namespaces() {
	f := Finding{Name: "namespaces.user", Required: !p.Privileged, Found: "a user namespace can be made"}
	if err := launch.TryNamespaces(0, true); err != nil {
		f.Status, f.Found = Missing, fmt.Sprintf("a user namespace cannot be made: %v", err)
		f.Cost = "containers with a user namespace are refused"
		if !p.Privileged {
			f.Cost = "a user without privileges can make no container"
		}
		f.Mend, f.Commands = whyNoUserNamespace()
	}
	p.add(f)
	if f.Status == Missing && !p.Privileged {
		return
	}
	for _, ns := range []specs.LinuxNamespaceType{
		specs.MountNamespace, specs.PIDNamespace, specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.CgroupNamespace, specs.TimeNamespace,
	} {
		f := Finding{Name: "namespaces." + string(ns), Required: ns == specs.MountNamespace || ns == specs.PIDNamespace, Found: fmt.Sprintf("a new %s namespace can be made", ns)}
		if err := launch.TryNamespaces(oci.NamespaceFlag(ns), !p.Privileged); err != nil {
			f.Status, f.Found = Missing, fmt.Sprintf("a new %s namespace cannot be made: %v", ns, err)
			f.Cost = fmt.Sprintf("containers with a %s namespace of their own are refused", ns)
			f.Mend = "the kernel was built without it, or a security policy forbids it"
			if errors.Is(err, unix.ENOSPC) {
				f.Mend = "raise the limit in /proc/sys/user"
			}
		}
		p.add(f)
	}
}

// whyNoUserNamespace checks the settings with which administrators and distributions forbid user
// namespaces.
func whyNoUserNamespace() (mend string, commands []string) {
	for _, s := range []struct {
		name, why string
		forbids   int
		allowed   string
	}{
		{"user.max_user_namespaces", "the limit of user namespaces is 0", 0, "15000"},
		{"kernel.unprivileged_userns_clone", "user namespaces are for root only", 0, "1"},
		{"kernel.apparmor_restrict_unprivileged_userns", "AppArmor allows user namespaces to programs with a profile that says so", 1, "0"},
	} {
		if number("/proc/sys/"+strings.ReplaceAll(s.name, ".", "/")) == s.forbids {
			return fmt.Sprintf("%s (%s)", s.why, s.name), []string{"sysctl -w " + s.name + "=" + s.allowed}
		}
	}
	return "the kernel was built without them, or a security policy forbids them", nil
}

// seccomp asks the kernel for actions and flags of filters.
func (p *patient) seccomp() {
	var absent []string
	for _, a := range seccomp.Actions() {
		if a != specs.ActKill && !seccomp.ActionSupported(a) {
			absent = append(absent, string(a))
		}
	}
	f := Finding{Name: "seccomp", Found: "filters with all actions"}
	switch {
	case len(absent) == len(seccomp.Actions()) || !seccomp.FlagsSupported(0):
		f.Status, f.Found, f.Cost = Missing, "no filters", "configurations with linux.seccomp are refused"
		f.Mend = "a kernel with CONFIG_SECCOMP_FILTER"
	case len(absent) > 0:
		f.Status, f.Found, f.Cost = Degraded, "filters without "+strings.Join(absent, ", "), "configurations with these actions are refused"
		f.Mend = "a newer kernel"
	}
	p.add(f)
	f = Finding{Name: "seccomp.flags", Found: "all flags of filters"}
	if all, has := len(seccomp.KnownFlags()), len(seccomp.SupportedFlags()); has < all {
		f.Status, f.Found = Degraded, fmt.Sprintf("%d of %d flags of filters", has, all)
		f.Cost, f.Mend = "configurations with the others are refused", "a newer kernel"
	}
	p.add(f)
}

// security lists the security modules.
func (p *patient) security() {
	var on []string
	if strings.HasPrefix(read("/sys/module/apparmor/parameters/enabled"), "Y") {
		on = append(on, "AppArmor")
	}
	if exists("/sys/fs/selinux/enforce") {
		mode := "permissive"
		if number("/sys/fs/selinux/enforce") == 1 {
			mode = "enforcing"
		}
		on = append(on, "SELinux ("+mode+")")
	}
	f := Finding{Name: "lsm", Found: strings.Join(on, ", ")}
	if len(on) == 0 {
		f.Status, f.Found = Missing, "neither AppArmor nor SELinux is active"
		f.Cost = "containers are confined by namespaces, capabilities and seccomp alone; configurations with a profile or a label are refused"
		f.Mend = "a kernel with one of them, and \"apparmor=1 security=apparmor\" or \"selinux=1 security=selinux\" on its command line"
	}
	p.add(f)
}

// keyrings joins a session keyring as a container does, on a thread that ends.
func (p *patient) keyrings() {
	var err error
	trial.Run(func(*trial.Thread) {
		if _, _, errno := unix.Syscall(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0); errno != 0 {
			err = errno
		}
	})
	used, limit, known := keyQuota(p.UID)
	f := Finding{Name: "keyrings", Found: "a session key ring can be made"}
	if known {
		f.Found += fmt.Sprintf(" (%d of %d keys of this user are in use)", used, limit)
	}
	quota := fmt.Sprintf("kernel.keys.%smaxkeys", map[bool]string{true: "root_"}[p.UID == 0])
	switch {
	case errors.Is(err, unix.ENOSYS):
		f.Status, f.Found, f.Cost = Missing, "the kernel has no key rings", "none: containers are made without one of their own"
		f.Mend = "a kernel with CONFIG_KEYS"
	case err != nil:
		f.Status, f.Found, f.Cost = Missing, fmt.Sprintf("a session key ring cannot be made: %v", err), "containers are refused without --no-new-keyring"
		f.Mend = "raise the quota, or use --no-new-keyring"
		f.Commands = []string{fmt.Sprintf("sysctl -w %s=%d", quota, max(2*limit, 2000))}
	case known && used*10 > limit*9:
		f.Status, f.Cost = Degraded, "the next containers of this user may be refused: each takes a key"
		f.Mend, f.Commands = "raise the quota", []string{fmt.Sprintf("sysctl -w %s=%d", quota, 2*limit)}
	}
	p.add(f)
}

// keyQuota returns how many keys a user has, and may have.
func keyQuota(uid int) (used, limit int, known bool) {
	for line := range strings.Lines(read("/proc/key-users")) {
		var user, usage, keys, instantiated int
		if n, _ := fmt.Sscanf(strings.TrimSpace(line), "%d: %d %d/%d %d/%d", &user, &usage, &keys, &instantiated, &used, &limit); n == 6 && user == uid {
			return used, limit, true
		}
	}
	return 0, 0, false
}

// filesystems looks for the file systems that engines and configurations ask for.
func (p *patient) filesystems() {
	var absent []string
	for _, fs := range []string{"overlay", "tmpfs", "mqueue", "devpts"} {
		if trial.Filesystem(fs) != nil {
			absent = append(absent, fs)
		}
	}
	f := Finding{Name: "filesystems", Found: "overlay, tmpfs, mqueue and devpts"}
	if len(absent) > 0 {
		f.Status, f.Found = Degraded, "the kernel has no "+strings.Join(absent, ", ")
		f.Cost = "configurations with such mounts are refused"
		if slices.Contains(absent, "overlay") {
			f.Cost += ", and engines need another way to make root file systems"
		}
		f.Mend = "load the modules, or use a kernel that has them"
		for _, fs := range absent {
			f.Commands = append(f.Commands, "modprobe "+fs)
		}
	}
	p.add(f)
}

// number reads a number from a file; -1 on errors.
func number(path string) int {
	n := -1
	if _, err := fmt.Sscan(read(path), &n); err != nil {
		return -1
	}
	return n
}

// exists reports whether a path of the host exists.
func exists(path string) bool {
	//allow:path a fixed path of the host
	_, err := os.Lstat(path)
	return err == nil
}

// read reads a small file of the host; it is empty on errors.
func read(path string) string {
	//allow:path fixed paths in /proc and /sys of the host
	content, err := linux.ReadFollow(path, 1<<20)
	if err != nil {
		return ""
	}
	return string(content)
}
