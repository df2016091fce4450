package libcontainer

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/host/idmap"
	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// host collects what the compiler has to know. group may be nil.
func (r *Runtime) host(s *specs.Spec, group *cgroup.Manager, noPivot bool) compile.Host {
	h := compile.Host{
		UID: os.Geteuid(), LastCap: lastCap(), Capabilities: ownCapabilities(), Look: look, Readlink: readlink, Follow: follow, Real: realPath, OpenFiles: openFiles, Shared: shared, TimerSlack: r.TimerSlack, Nested: InUserNamespace(),
	}
	h.Mappings, h.NodePath = mappingsOf(s), nodePath
	h.OpensNothing = opensNothing(s, h)
	h.ProcOfOthers = procOfOthers
	if group != nil {
		h.CgroupJoin, h.CgroupWait = group.JoinFiles(), group.BornOutside()
		for _, g := range group.Hierarchies() {
			h.Cgroups = append(h.Cgroups, compile.Hierarchy{Name: g.Name, Options: g.Options, Path: g.Path})
		}
	}
	if noPivot {
		h.ProcMounts = procMounts()
	}
	return h
}

// procOfOthers reports whether the kernel makes a procfs for the pid namespace of others: since
// Linux 6.17.
func procOfOthers() bool {
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return false
	}
	defer unix.Close(fs)
	//allow:path the host's /proc
	own, err := unix.Open("/proc/self/ns/pid", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(own)
	return unix.FsconfigSetFd(fs, "pidns", own) == nil
}

// mappingsOf returns a function for the mappings of the user namespace that the container joins.
// The function may start a process.
func mappingsOf(s *specs.Spec) func() (uids, gids bundle.IDMap) {
	return func() (uids, gids bundle.IDMap) {
		ns := oci.Namespace(s, specs.UserNamespace)
		if ns == nil || ns.Path == "" {
			return nil, nil
		}
		fd, err := source.Namespace{Name: string(ns.Type), Path: ns.Path, Flag: unix.CLONE_NEWUSER}.Open(nil)
		if err != nil {
			return nil, nil // the program reports what is wrong
		}
		defer unix.Close(fd)
		err = launch.InUserNamespace(fd, func(pid int) (err error) {
			uids, gids, err = idmap.Of(linux.PID(pid))
			return err
		})
		if err != nil {
			return nil, nil
		}
		return uids, gids
	}
}

// nodePath finds a device of the host, at the path or at the kernel's name in /dev.
func nodePath(path string, n source.Node) (found string, ok bool) {
	is := func(path string) bool {
		var st unix.Stat_t
		//allow:path a path of the host that the caller has named, or the kernel; it is looked at again when it is opened
		return unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == n.Type && st.Rdev == n.Dev
	}
	if is(path) {
		return path, true
	}
	kind := "char"
	if n.Type == unix.S_IFBLK {
		kind = "block"
	}
	const limit = 1 << 16
	//allow:path the sysfs of the host
	text, err := linux.ReadFollow(fmt.Sprintf("/sys/dev/%s/%d:%d/uevent", kind, unix.Major(n.Dev), unix.Minor(n.Dev)), limit)
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(text)) {
		if name, isName := strings.CutPrefix(strings.TrimSpace(line), "DEVNAME="); isName && is("/dev/"+name) {
			return "/dev/" + name, true
		}
	}
	return "", false
}

// namespaceMaker returns a maker for new namespaces of a container. It is nil with a new user
// namespace, because the others have to belong to it.
func namespaceMaker(s *specs.Spec) *source.Maker {
	if s.Linux == nil || oci.Namespace(s, specs.UserNamespace) != nil {
		return nil
	}
	var fresh uint64
	for _, ns := range s.Linux.Namespaces {
		if ns.Path == "" {
			fresh |= oci.NamespaceFlag(ns.Type)
		}
	}
	return source.NewMaker(fresh)
}

// shared reports whether a namespace is the one that this process is in. On an error it returns
// true, so that nothing of the host is changed by mistake.
func shared(path string, ns specs.LinuxNamespaceType) bool {
	var ours, theirs unix.Stat_t
	//allow:path the host's /proc, and a path that the caller has named
	if unix.Stat("/proc/self/ns/"+oci.NamespaceFile(ns), &ours) != nil || unix.Stat(path, &theirs) != nil {
		return true
	}
	return ours.Dev == theirs.Dev && ours.Ino == theirs.Ino
}

// look examines the source of a bind mount.
func look(path string) (compile.Found, error) {
	var st unix.Stat_t
	var found compile.Found
	//allow:path the source of a bind mount: a path of the host
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
	if err == nil {
		err = unix.Fstat(fd, &st)
		unix.Close(fd)
	} else if found.Links = errors.Is(err, unix.ELOOP); found.Links {
		//allow:path the same
		err = unix.Stat(path, &st)
	}
	if err != nil {
		return compile.Found{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	found.Dir = st.Mode&unix.S_IFMT == unix.S_IFDIR
	return found, nil
}

// openFiles returns how many files this process may open. The Go runtime has raised that to the
// hard limit.
func openFiles() uint64 {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return math.MaxUint64
	}
	return l.Cur
}

// readlink returns the target of a symbolic link. It is empty for anything else.
func readlink(path string) (string, error) {
	//allow:path the source of a bind mount: a path of the host
	target, err := os.Readlink(path)
	if errors.Is(err, unix.EINVAL) {
		return "", nil
	}
	return target, err
}

// lastCap returns the highest capability that the kernel knows.
func lastCap() int {
	// This takes one system call; reading /proc/sys/kernel/cap_last_cap takes three.
	const newest = unix.CAP_LAST_CAP
	for n := newest; n > 0; n-- {
		if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0); err == nil {
			return n
		}
	}
	return newest
}

// ownCapabilities returns the capabilities that the runtime can pass on.
func ownCapabilities() uint64 {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0
	}
	return uint64(data[0].Permitted) | uint64(data[1].Permitted)<<32
}

// asSeenFrom returns the configuration of a running container without its user namespace if this
// process is in the same one, because a process cannot join its own user namespace.
func asSeenFrom(s *specs.Spec, pid int) *specs.Spec {
	if oci.Namespace(s, specs.UserNamespace) == nil || !shared(linux.PID(pid).Living().Path("ns/user"), specs.UserNamespace) {
		return s
	}
	seen, l := *s, *s.Linux
	l.Namespaces = slices.DeleteFunc(slices.Clone(l.Namespaces), func(ns specs.LinuxNamespace) bool { return ns.Type == specs.UserNamespace })
	seen.Linux = &l
	return &seen
}

// opensNothing reports whether this process may not copy trees of its mount namespace while the
// container's program may.
func opensNothing(s *specs.Spec, h compile.Host) bool {
	if !oci.HasNew(s, specs.MountNamespace) {
		return false
	}
	if !bundle.HasCapabilities(h.Capabilities, unix.CAP_SYS_ADMIN) {
		return oci.Namespace(s, specs.UserNamespace) != nil
	}
	if !h.Nested {
		return false
	}
	// Privileges in a user namespace do not apply to a mount namespace that belongs to another
	// one.
	//allow:path the root of the host, to see whether trees can be taken
	fd, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return errors.Is(err, unix.EPERM)
	}
	unix.Close(fd)
	return false
}

// procMounts returns the mount points of procfs and sysfs, the last one first, so that stacked
// mounts can be unmounted in order.
func procMounts() []string {
	infos, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("proc", "sysfs"))
	if err != nil {
		return []string{"/proc", "/sys"}
	}
	var points []string
	for i := len(infos) - 1; i >= 0; i-- {
		points = append(points, infos[i].Mountpoint)
	}
	return points
}

// setRlimits sets the limits of a process. forks reports whether there is a fork before the execve.
func setRlimits(pid int, limits []specs.POSIXRlimit, forks bool) error {
	for i, l := range limits {
		n, ok := bundle.Rlimit(l.Type)
		if !ok {
			return fault.About(fmt.Sprintf("process.rlimits[%d]", i), "process.rlimits[%d]: unknown limit %q", i, l.Type)
		}
		err := error(unix.EPERM)
		if before := compile.LimitBeforeFork(l); forks && before != l {
			err = unix.Prlimit(pid, n, &unix.Rlimit{Cur: before.Soft, Max: before.Hard}, nil)
		}
		if errors.Is(err, unix.EPERM) { // or to be set as it is
			err = unix.Prlimit(pid, n, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil)
		}
		if err != nil {
			failed := fault.Facts{Op: "prlimit", Property: fmt.Sprintf("process.rlimits[%d]", i)}.Errorf("set %s to %d:%d (process.rlimits[%d]): %w", l.Type, l.Soft, l.Hard, i, err)
			return fault.Hinted(failed, rlimitHint(n, l.Hard, err))
		}
	}
	return nil
}

// setScheduler gives a process its scheduling policy.
func setScheduler(pid int, s *specs.Scheduler) error {
	attr := bundle.SchedAttr(s)
	if err := unix.SchedSetAttr(pid, &attr, 0); err != nil {
		return fmt.Errorf("set the scheduling policy %q (process.scheduler): %w", s.Policy, err)
	}
	return nil
}

// rlimitHint returns why the kernel refuses a limit, if that can be found out.
func rlimitHint(resource int, hard uint64, err error) string {
	if !errors.Is(err, unix.EPERM) {
		return ""
	}
	if resource == unix.RLIMIT_NOFILE {
		//allow:path the host's /proc
		text, _ := linux.ReadFollow("/proc/sys/fs/nr_open", 64)
		if most, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && hard > most {
			return fmt.Sprintf("/proc/sys/fs/nr_open is %d", most)
		}
	}
	if bundle.HasCapabilities(ownCapabilities(), unix.CAP_SYS_RESOURCE) && !InUserNamespace() {
		return ""
	}
	return "to raise a hard limit takes CAP_SYS_RESOURCE"
}

// maxPasswd is how much of the container's /etc/passwd is read, in bytes.
const maxPasswd = 1 << 20

// homeOf finds the home directory of a user in the /etc/passwd of the container,
// pinned by a descriptor, which it closes. Everything about the file is up to the image, so it gives
// nothing but a string: it is only opened when it is a regular file, not one that the
// kernel makes up, such as /proc/kmsg, and read up to a bound without ever waiting.
// Without an answer there it is "/", like in other runtimes.
//
// Attacker: a process of the container that serves the file system, and does not answer. The init
// opens the file, and what is done here has an end.
func homeOf(i *linux.Interrupt, passwd linux.FD, uid uint32) (string, error) {
	const none = "/"
	if !passwd.Exists() {
		return none, nil
	}
	home := make(chan string, 1)
	read := func() {
		defer passwd.Close()
		home <- readHome(passwd.Int(), uid, none)
	}
	if err := linux.Within(i, passwdPatience, read); err != nil {
		return "", fmt.Errorf("read /etc/passwd of the container: %w", err)
	}
	return <-home, nil
}

// passwdPatience is how long it may take to read /etc/passwd of a container.
const passwdPatience = 10 * time.Second

// readHome is homeOf for a file that can be read.
func readHome(passwd int, uid uint32, none string) string {
	var st unix.Stat_t
	var fs unix.Statfs_t
	if unix.Fstat(passwd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || unix.Fstatfs(passwd, &fs) != nil || madeUp(fs.Type) {
		return none
	}
	//allow:path a pinned file that has been looked at, opened once more
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", passwd), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return none
	}
	defer unix.Close(fd)
	data := make([]byte, min(st.Size, maxPasswd))
	done := 0
	for done < len(data) {
		n, err := unix.Read(fd, data[done:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			break
		}
		done += n
	}
	return parseHome(data[:done], uid, none)
}

// madeUp reports whether the kernel generates the files of a file system when they are read.
func madeUp(fstype int64) bool {
	switch fstype {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.DEBUGFS_MAGIC,
		unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.BPF_FS_MAGIC, unix.DEVPTS_SUPER_MAGIC, unix.PSTOREFS_MAGIC,
		unix.EFIVARFS_MAGIC, unix.NSFS_MAGIC, unix.SELINUX_MAGIC:
		return true
	}
	return false
}

func parseHome(passwd []byte, uid uint32, none string) string {
	want := []byte(strconv.FormatUint(uint64(uid), 10))
	for line := range bytes.Lines(passwd) {
		fields := bytes.Split(bytes.TrimRight(line, "\n"), []byte(":"))
		if len(fields) >= 6 && bytes.Equal(fields[2], want) {
			if home := string(fields[5]); home != "" && !strings.ContainsRune(home, 0) {
				return home
			}
			return none
		}
	}
	return none
}
