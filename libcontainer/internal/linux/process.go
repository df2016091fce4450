package linux

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Process is the name of a process in the /proc of this mount namespace.
type Process string

// Self is the calling process.
const Self Process = "self"

// PID returns the process, or thread, with a number.
func PID(pid int) Process { return Process(strconv.Itoa(pid)) }

// Path returns the path of a file about the process.
func (p Process) Path(name string) string { return "/proc/" + string(p) + "/" + name }

// Read reads a file about the process. The error wraps os.ErrNotExist or unix.ESRCH when there
// is no such process.
func (p Process) Read(name string) ([]byte, error) { return ReadFollow(p.Path(name), 1<<20) }

// Threads returns the threads of the process, each by a name that files can be read by.
func (p Process) Threads() ([]Process, error) {
	//allow:path the host's /proc
	entries, err := os.ReadDir(p.Path("task"))
	if err != nil {
		return nil, err
	}
	threads := make([]Process, len(entries))
	for i, e := range entries {
		threads[i] = p + "/task/" + Process(e.Name())
	}
	return threads, nil
}

// Living returns the process by a thread that has not ended. A process outlives its main thread,
// and then /proc no longer shows the main thread's files, namespaces and cgroups. Living returns
// p itself when all threads have ended.
func (p Process) Living() Process {
	if stat, err := p.Stat(); err != nil || !stat.Exiting() {
		return p
	}
	threads, _ := p.Threads()
	for _, t := range threads {
		if stat, err := t.Stat(); err == nil && !stat.Exiting() {
			return t
		}
	}
	return p
}

// Thread returns the number of the thread when the process is named by one ([Process.Living]).
func (p Process) Thread() (tid int, ok bool) {
	_, number, ok := strings.Cut(string(p), "/task/")
	n, err := strconv.ParseUint(number, 10, 31)
	return int(n), ok && err == nil
}

// Exe returns the kernel's name of the process's executable. Use it only for comparisons: the
// process can choose the name.
func (p Process) Exe() (string, error) {
	//allow:path the host's /proc; what the link says is only compared
	return os.Readlink(p.Path("exe"))
}

// Namespace returns the inode number of a namespace of the process, by its name in /proc/PID/ns.
// It identifies the namespace as long as there is somebody in it. The error wraps unix.ENOENT or
// unix.ESRCH when there is no such process, or no such namespace.
func (p Process) Namespace(name string) (uint64, error) {
	var st unix.Stat_t
	path := p.Path("ns/" + name)
	//allow:path the host's /proc
	if err := unix.Stat(path, &st); err != nil {
		return 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return st.Ino, nil
}

// Cgroups returns the process's cgroup for each controller and for "name=…"; the unified
// hierarchy has an empty key (cgroups(7), /proc/PID/cgroup).
func (p Process) Cgroups() (map[string]string, error) {
	data, err := p.Read("cgroup")
	if err != nil {
		return nil, err
	}
	own := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			return nil, fmt.Errorf("%s has a malformed line %q", p.Path("cgroup"), line)
		}
		for key := range strings.SplitSeq(parts[1], ",") {
			own[key] = parts[2]
		}
	}
	return own, nil
}

// Status is the content of /proc/PID/status.
type Status struct{ path, text string }

// Status reads the status of the process.
func (p Process) Status() (Status, error) {
	data, err := p.Read("status")
	return Status{p.Path("status"), string(data)}, err
}

// Words returns the words of a field; none when it is missing or empty.
func (s Status) Words(field string) []string {
	for line := range strings.Lines(s.text) {
		if name, value, _ := strings.Cut(line, ":"); name == field {
			return strings.Fields(value)
		}
	}
	return nil
}

// Number returns a number of a field. Index 0 is the first number, -1 the last one.
func (s Status) Number(field string, index int) (int, error) {
	values := s.Words(field)
	if index < 0 {
		index += len(values)
	}
	if index < 0 || index >= len(values) {
		return 0, fmt.Errorf("%s does not have the %s that is looked for", s.path, field)
	}
	n, err := strconv.ParseUint(values[index], 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s: %s: %w", s.path, field, err)
	}
	return int(n), nil
}

// PidOf returns the process that a pidfd is for, as this pid namespace numbers it.
func PidOf(pidfd int) (int, error) {
	data, err := Self.Read("fdinfo/" + strconv.Itoa(pidfd))
	if err != nil {
		return 0, err
	}
	return Status{Self.Path("fdinfo"), string(data)}.Number("Pid", 0)
}

// Stat are the fields of /proc/PID/stat (proc_pid_stat(5)) from the third on.
type Stat []string

// Stat reads /proc/PID/stat. The error is that of [Process.Read] when there is no such process.
func (p Process) Stat() (Stat, error) {
	data, err := p.Read("stat")
	if err != nil {
		return nil, err
	}
	return ParseStat(string(data))
}

// ParseStat parses the text of a stat file. Field 2 is the name of the program and can contain
// any character, so it ends at the last parenthesis.
func ParseStat(text string) (Stat, error) {
	fields := Stat(strings.Fields(text[strings.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 || !strings.Contains(text, ")") {
		return nil, fmt.Errorf("malformed stat file %q", text)
	}
	return fields, nil
}

// Number returns a field by its number in the manual page, from 4 on.
func (s Stat) Number(field int) (uint64, error) {
	if i := field - 3; i < len(s) {
		return strconv.ParseUint(s[i], 10, 64)
	}
	return 0, fmt.Errorf("the stat file has %d fields and not %d", len(s)+2, field)
}

// State returns the state of the thread: R, S, D, T, t, Z, X or another letter of the manual page.
func (s Stat) State() string { return s[0] }

// Dead reports whether the thread has ended. The process may continue in other threads; only a
// pidfd shows whether it has ended.
func (s Stat) Dead() bool { return s[0] == "Z" || s[0] == "X" }

// Exiting reports whether the thread has ended or is about to.
func (s Stat) Exiting() bool {
	const flags, exitFlag = 9, 0x4
	set, _ := s.Number(flags)
	return s.Dead() || set&exitFlag != 0
}
