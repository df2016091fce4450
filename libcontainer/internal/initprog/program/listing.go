package program

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/initprog/protocol"
)

// Formats for sets of flags. Each has its names in flagNames.
const (
	formatOpen format = formatFlags + iota
	formatResolve
	formatAt
	formatMountAttr
	formatOpenTree
	formatMoveMount
	formatMount
	formatUmount
	formatClone
	formatFsopen
	formatFspick
	formatFilterFlags
	formatFsmount
	formatMessageFlags
	formatSocketType
	formatAccess
	formatFsconfig // from here on one name per value
	formatPrctl
	formatKeyctl
	formatIoctl
	formatDomain
	formatFcntl
	formatMagic
	formatFileType
	formatSigmask
	formatStatx
	formatSeccomp
	// Formats that show what an address points to.
	formatLookup
	formatMountSetattr
	formatMessage
	formatCaps
	formatErrno
	formatFilter
)

// Kind classifies ops by what they do.
type Kind string

const (
	KindSyscall Kind = "syscall"
	KindExec    Kind = "exec" // the system call that replaces the program, when it succeeds
	KindCheck   Kind = "check"
	KindJumpIf  Kind = "jumpif"
	KindJump    Kind = "jump"
	KindSet     Kind = "set"
	KindAdd     Kind = "add"
)

func kindOf(number uint32) Kind {
	switch number {
	case unix.SYS_EXECVE:
		return KindExec
	case opCheck:
		return KindCheck
	case opJumpIf:
		return KindJumpIf
	case opJump:
		return KindJump
	case opSet:
		return KindSet
	case opAdd:
		return KindAdd
	}
	return KindSyscall
}

// Line describes one op for people.
type Line struct {
	Op       int      `json:"op"`
	Kind     Kind     `json:"kind"`
	Step     Step     `json:"step,omitempty"`
	What     string   `json:"what,omitempty"`
	Property string   `json:"pointer,omitempty"`
	Call     string   `json:"call"`
	Args     []string `json:"args,omitempty"`
	Result   string   `json:"result,omitempty"`
	Allowed  []string `json:"allowed,omitempty"`
	Else     *int     `json:"else,omitempty"`
}

// Lines returns a line for each op of the program.
func (p *Program) Lines() []Line {
	lines := make([]Line, p.Len())
	for i := range lines {
		l, code, about := &lines[i], p.code[i*opSize:], p.about[i]
		l.Op, l.Step, l.What, l.Property = i, about.note.Step, about.note.Text(), about.note.Where()
		number := binary.LittleEndian.Uint32(code)
		l.Kind, l.Call = kindOf(number), callName(number)
		for j := range int(about.nargs) {
			l.Args = append(l.Args, p.arg(Arg{
				value: binary.LittleEndian.Uint64(code[opArgs+8*j:]), word: code[opWords]&(1<<j) != 0, format: about.formats[j],
			}))
		}
		if store := binary.LittleEndian.Uint32(code[opStore:]); store != 0 {
			l.Result = p.wordName(Word(store))
		}
		for _, e := range code[opAllowed:][:maxAllowed] {
			switch {
			case e == 0:
			case syscall.Errno(e) == AnyError:
				l.Allowed = append(l.Allowed, "any error")
			default:
				l.Allowed = append(l.Allowed, unix.ErrnoName(syscall.Errno(e)))
			}
		}
		if to := binary.LittleEndian.Uint32(code[opTarget:]); to != 0 {
			t := int(to) / opSize
			l.Else = &t
		}
	}
	return lines
}

// WriteTo writes the program as text: for each group of ops the purpose, with the property that
// caused them, and then the ops.
func (p *Program) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	last := ""
	for i, l := range p.Lines() {
		if n := p.about[i].note.Subject(); n != last {
			last = n
			b.WriteString(l.What)
			if l.Property != "" {
				fmt.Fprintf(&b, "  (%s)", l.Property)
			}
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "  %4d  %s\n", i, l.text())
	}
	return b.WriteTo(w)
}

// WriteBrief writes a line for each purpose, without the ops.
func (p *Program) WriteBrief(w io.Writer) error {
	var b bytes.Buffer
	last := ""
	for i := range p.about {
		note := p.about[i].note
		if s := note.Subject(); s != last {
			last = s
			b.WriteString(note.Text())
			if where := note.Where(); where != "" {
				fmt.Fprintf(&b, "  (%s)", where)
			}
			b.WriteByte('\n')
		}
	}
	_, err := b.WriteTo(w)
	return err
}

// text returns the line without its number and purpose.
func (l Line) text() string {
	var b strings.Builder
	switch l.Kind {
	case KindCheck:
		switch {
		case l.Else != nil:
			fmt.Fprintf(&b, "check %s, else to %d", comparison(l.Args), *l.Else)
		case l.Args[1] == "0x0":
			fmt.Fprintf(&b, "fail with %s", l.Args[3])
		default:
			fmt.Fprintf(&b, "check %s, else fail with %s", comparison(l.Args), l.Args[3])
		}
		return b.String()
	case KindJumpIf:
		fmt.Fprintf(&b, "if %s to %d", comparison(l.Args), *l.Else)
		return b.String()
	case KindJump:
		fmt.Fprintf(&b, "to %d", *l.Else)
		return b.String()
	case KindSet:
		fmt.Fprintf(&b, "%s = %s", l.Args[0], l.Args[1])
		return b.String()
	case KindAdd:
		fmt.Fprintf(&b, "%s += %s", l.Args[0], l.Args[1])
		return b.String()
	}
	fmt.Fprintf(&b, "%s(%s)", l.Call, strings.Join(l.Args, ", "))
	if l.Result != "" {
		fmt.Fprintf(&b, " -> %s", l.Result)
	}
	if len(l.Allowed) > 0 {
		fmt.Fprintf(&b, "; %s: ", strings.Join(l.Allowed, ", "))
		if l.Else != nil {
			fmt.Fprintf(&b, "to %d", *l.Else)
		} else {
			b.WriteString("go on")
		}
	}
	return b.String()
}

// comparison returns "word == value", with the mask when it matters.
func comparison(args []string) string {
	if args[1] == "0xffffffff" {
		return fmt.Sprintf("%s == %s", args[0], args[2])
	}
	return fmt.Sprintf("%s & %s == %s", args[0], args[1], args[2])
}

// arg renders an argument.
func (p *Program) arg(a Arg) string {
	if a.word {
		return p.wordName(Word(a.value))
	}
	switch a.format {
	case formatWord:
		return p.wordName(Word(a.value))
	case formatHex:
		return "0x" + strconv.FormatUint(a.value, 16)
	case formatOctal:
		return fmt.Sprintf("%#o", a.value)
	case formatString:
		return strconv.Quote(p.stringAt(Addr(a.value)))
	case formatAddress:
		if a.value == 0 {
			return "NULL"
		}
		return p.name(Addr(a.value))
	case formatFD:
		//allow:path only printed
		if int64(a.value) == unix.AT_FDCWD {
			return "AT_FDCWD"
		}
	case formatLookup:
		f := p.fields(a, 3)
		how := "{" + flagText(formatOpen, f[0])
		if f[1] != 0 {
			how += fmt.Sprintf(", mode %#o", f[1])
		}
		return how + ", " + flagText(formatResolve, f[2]) + "}"
	case formatMountSetattr:
		f := p.fields(a, 4)
		var parts []string
		if f[0] != 0 {
			parts = append(parts, "set "+flagText(formatMountAttr, f[0]))
		}
		if f[1] != 0 {
			parts = append(parts, "clear "+flagText(formatMountAttr, f[1]))
		}
		if f[2] != 0 {
			parts = append(parts, "propagation "+flagText(formatMount, f[2]))
		}
		if f[3] != 0 {
			parts = append(parts, fmt.Sprintf("user namespace %d", f[3]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case formatMessage:
		return p.messageAt(Addr(a.value))
	case formatFilter:
		return fmt.Sprintf("{%d instructions}", p.fields(a, 1)[0])
	case formatErrno:
		return unix.ErrnoName(syscall.Errno(a.value))
	case formatCaps:
		f := p.fields(a, 3)
		return fmt.Sprintf("{effective %#x, permitted %#x, inheritable %#x}",
			f[0]&0xffffffff|f[1]>>32<<32, f[0]>>32|f[2]<<32, f[1]&0xffffffff|f[2]>>32<<32)
	}
	if a.format >= formatFlags {
		return flagText(a.format, a.value)
	}
	return strconv.FormatInt(int64(a.value), 10)
}

func (p *Program) messageAt(a Addr) string {
	m, ok := protocol.Decode(p.constant(a, protocol.MessageSize))
	if !ok {
		return "?"
	}
	return "{" + m.String() + "}"
}

// name returns the name of a memory location.
func (p *Program) name(a Addr) string {
	for _, n := range p.names {
		if n.at == a && n.name != "" {
			return n.name
		}
	}
	if a >= constBase {
		return "const"
	}
	return "buffer"
}

// wordName returns the name of a word. A word at the start of a structure has a name other than
// the structure's.
func (p *Program) wordName(w Word) string {
	for i := len(p.names) - 1; i >= 0; i-- {
		if n := p.names[i]; n.at == Addr(w) && n.name != "" {
			return n.name
		}
	}
	return p.name(Addr(w))
}

// constant returns n bytes of the read-only segment.
func (p *Program) constant(a Addr, n int) []byte {
	if a < constBase || int(a-constBase)+n > len(p.consts) {
		return make([]byte, n)
	}
	return p.consts[a-constBase:][:n]
}

func (p *Program) fields(a Arg, n int) []uint64 {
	c := p.constant(Addr(a.value), 8*n)
	f := make([]uint64, n)
	for i := range f {
		f[i] = binary.LittleEndian.Uint64(c[8*i:])
	}
	return f
}

func (p *Program) stringAt(a Addr) string {
	if a < constBase || int(a-constBase) >= len(p.consts) {
		return ""
	}
	s := p.consts[a-constBase:]
	if n := bytes.IndexByte(s, 0); n >= 0 {
		s = s[:n]
	}
	return string(s)
}

type flagName struct {
	value uint64
	name  string
}

// flagText returns a set of flags with the names that C programs use.
func flagText(f format, v uint64) string {
	names := flagNames()[f]
	if f >= formatFsconfig {
		for _, n := range names {
			if n.value == v {
				return n.name
			}
		}
		return "0x" + strconv.FormatUint(v, 16)
	}
	if v == 0 {
		return "0"
	}
	var parts []string
	for _, n := range names {
		if n.value != 0 && v&n.value == n.value {
			parts = append(parts, n.name)
			v &^= n.value
		}
	}
	if v != 0 {
		parts = append(parts, "0x"+strconv.FormatUint(v, 16))
	}
	return strings.Join(parts, "|")
}

// flagNames lists combinations before the flags that they consist of.
func flagNames() map[format][]flagName {
	tables.flagsOnce.Do(func() { tables.flags = makeFlagNames() })
	return tables.flags
}

// tables are those of listings and errors, which are made on first use.
var tables struct {
	flagsOnce, callsOnce sync.Once
	flags                map[format][]flagName
	calls                map[uint32]string
}

func makeFlagNames() map[format][]flagName {
	return map[format][]flagName{
		formatOpen: {
			{unix.O_DIRECTORY, "O_DIRECTORY"}, {unix.O_PATH, "O_PATH"}, {unix.O_NOFOLLOW, "O_NOFOLLOW"},
			{unix.O_RDWR, "O_RDWR"}, {unix.O_WRONLY, "O_WRONLY"}, {unix.O_CREAT, "O_CREAT"}, {unix.O_EXCL, "O_EXCL"},
			{unix.O_NOCTTY, "O_NOCTTY"}, {unix.O_NONBLOCK, "O_NONBLOCK"}, {unix.O_CLOEXEC, "O_CLOEXEC"},
		},
		formatResolve: {
			{unix.RESOLVE_IN_ROOT, "RESOLVE_IN_ROOT"}, {unix.RESOLVE_BENEATH, "RESOLVE_BENEATH"},
			{unix.RESOLVE_NO_MAGICLINKS, "RESOLVE_NO_MAGICLINKS"}, {unix.RESOLVE_NO_SYMLINKS, "RESOLVE_NO_SYMLINKS"},
			{unix.RESOLVE_NO_XDEV, "RESOLVE_NO_XDEV"},
		},
		formatAt: {
			{unix.AT_EMPTY_PATH, "AT_EMPTY_PATH"}, {unix.AT_RECURSIVE, "AT_RECURSIVE"},
			{unix.AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW"}, {unix.AT_EACCESS, "AT_EACCESS"},
		},
		formatMountAttr: {
			{unix.MOUNT_ATTR_RDONLY, "RDONLY"}, {unix.MOUNT_ATTR_NOSUID, "NOSUID"}, {unix.MOUNT_ATTR_NODEV, "NODEV"},
			{unix.MOUNT_ATTR_NOEXEC, "NOEXEC"}, {unix.MOUNT_ATTR__ATIME, "ATIME"}, {unix.MOUNT_ATTR_NOATIME, "NOATIME"},
			{unix.MOUNT_ATTR_STRICTATIME, "STRICTATIME"}, {unix.MOUNT_ATTR_NODIRATIME, "NODIRATIME"},
			{unix.MOUNT_ATTR_IDMAP, "IDMAP"}, {unix.MOUNT_ATTR_NOSYMFOLLOW, "NOSYMFOLLOW"},
		},
		formatOpenTree: {
			{unix.OPEN_TREE_CLONE, "OPEN_TREE_CLONE"}, {unix.OPEN_TREE_CLOEXEC, "OPEN_TREE_CLOEXEC"},
			{unix.AT_EMPTY_PATH, "AT_EMPTY_PATH"}, {unix.AT_RECURSIVE, "AT_RECURSIVE"},
		},
		formatMoveMount: {
			{unix.MOVE_MOUNT_F_EMPTY_PATH, "F_EMPTY_PATH"}, {unix.MOVE_MOUNT_T_EMPTY_PATH, "T_EMPTY_PATH"},
		},
		formatMount: {
			{unix.MS_RDONLY, "MS_RDONLY"}, {unix.MS_NOSUID, "MS_NOSUID"}, {unix.MS_NODEV, "MS_NODEV"}, {unix.MS_NOEXEC, "MS_NOEXEC"},
			{unix.MS_SYNCHRONOUS, "MS_SYNCHRONOUS"}, {unix.MS_MANDLOCK, "MS_MANDLOCK"}, {unix.MS_DIRSYNC, "MS_DIRSYNC"},
			{unix.MS_NOSYMFOLLOW, "MS_NOSYMFOLLOW"}, {unix.MS_NOATIME, "MS_NOATIME"}, {unix.MS_NODIRATIME, "MS_NODIRATIME"},
			{unix.MS_RELATIME, "MS_RELATIME"}, {unix.MS_STRICTATIME, "MS_STRICTATIME"}, {unix.MS_LAZYTIME, "MS_LAZYTIME"},
			{unix.MS_MOVE, "MS_MOVE"}, {unix.MS_REC, "MS_REC"}, {unix.MS_SHARED, "MS_SHARED"}, {unix.MS_SLAVE, "MS_SLAVE"},
			{unix.MS_PRIVATE, "MS_PRIVATE"}, {unix.MS_UNBINDABLE, "MS_UNBINDABLE"},
		},
		formatUmount: {{unix.MNT_DETACH, "MNT_DETACH"}, {unix.UMOUNT_NOFOLLOW, "UMOUNT_NOFOLLOW"}},
		formatClone: {
			{unix.CLONE_NEWNS, "CLONE_NEWNS"}, {unix.CLONE_NEWPID, "CLONE_NEWPID"}, {unix.CLONE_NEWNET, "CLONE_NEWNET"},
			{unix.CLONE_NEWIPC, "CLONE_NEWIPC"}, {unix.CLONE_NEWUTS, "CLONE_NEWUTS"}, {unix.CLONE_NEWUSER, "CLONE_NEWUSER"},
			{unix.CLONE_NEWCGROUP, "CLONE_NEWCGROUP"}, {unix.CLONE_NEWTIME, "CLONE_NEWTIME"},
			{unix.CLONE_PARENT, "CLONE_PARENT"}, {unix.CLONE_PIDFD, "CLONE_PIDFD"},
		},
		formatFsopen: {{unix.FSOPEN_CLOEXEC, "FSOPEN_CLOEXEC"}},
		formatFspick: {{unix.FSPICK_CLOEXEC, "FSPICK_CLOEXEC"}, {unix.FSPICK_EMPTY_PATH, "FSPICK_EMPTY_PATH"}},
		formatFilterFlags: {
			{unix.SECCOMP_FILTER_FLAG_TSYNC, "TSYNC"}, {unix.SECCOMP_FILTER_FLAG_LOG, "LOG"}, {unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, "SPEC_ALLOW"},
			{unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, "NEW_LISTENER"}, {unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH, "TSYNC_ESRCH"},
			{unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, "WAIT_KILLABLE_RECV"},
		},
		formatFsconfig: {
			{unix.FSCONFIG_SET_FLAG, "SET_FLAG"}, {unix.FSCONFIG_SET_STRING, "SET_STRING"}, {unix.FSCONFIG_SET_FD, "SET_FD"}, {unix.FSCONFIG_CMD_CREATE, "CREATE"},
			{unix.FSCONFIG_CMD_RECONFIGURE, "RECONFIGURE"},
		},
		formatPrctl: {
			{unix.PR_SET_PDEATHSIG, "PR_SET_PDEATHSIG"}, {unix.PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS"}, {unix.PR_CAPBSET_DROP, "PR_CAPBSET_DROP"},
			{unix.PR_CAP_AMBIENT, "PR_CAP_AMBIENT"}, {unix.PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS"}, {unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE"},
			{unix.PR_SET_NAME, "PR_SET_NAME"}, {unix.PR_SET_TIMERSLACK, "PR_SET_TIMERSLACK"},
		},
		formatKeyctl: {{unix.KEYCTL_JOIN_SESSION_KEYRING, "JOIN_SESSION_KEYRING"}, {unix.KEYCTL_SETPERM, "SETPERM"}, {unix.KEYCTL_DESCRIBE, "DESCRIBE"}, {unix.KEYCTL_READ, "READ"}},
		formatIoctl: {
			{unix.TIOCSPTLCK, "TIOCSPTLCK"}, {unix.TIOCGPTPEER, "TIOCGPTPEER"}, {unix.TIOCSWINSZ, "TIOCSWINSZ"},
			{unix.TIOCSCTTY, "TIOCSCTTY"}, {unix.SIOCSIFFLAGS, "SIOCSIFFLAGS"}, {unix.SIOCGIFFLAGS, "SIOCGIFFLAGS"},
		},
		formatFsmount:      {{unix.FSMOUNT_CLOEXEC, "FSMOUNT_CLOEXEC"}},
		formatMessageFlags: {{unix.MSG_NOSIGNAL, "MSG_NOSIGNAL"}, {unix.MSG_CMSG_CLOEXEC, "MSG_CMSG_CLOEXEC"}},
		formatSocketType: {
			{unix.SOCK_SEQPACKET, "SOCK_SEQPACKET"}, {unix.SOCK_RAW, "SOCK_RAW"}, {unix.SOCK_DGRAM, "SOCK_DGRAM"},
			{unix.SOCK_STREAM, "SOCK_STREAM"}, {unix.SOCK_CLOEXEC, "SOCK_CLOEXEC"},
		},
		formatAccess: {{unix.R_OK, "R_OK"}, {unix.W_OK, "W_OK"}, {unix.X_OK, "X_OK"}},
		formatMagic:  {{unix.PROC_SUPER_MAGIC, "PROC_SUPER_MAGIC"}, {unix.DEVPTS_SUPER_MAGIC, "DEVPTS_SUPER_MAGIC"}},
		formatFileType: {
			{unix.S_IFMT, "S_IFMT"}, {unix.S_IFREG, "S_IFREG"}, {unix.S_IFDIR, "S_IFDIR"}, {unix.S_IFLNK, "S_IFLNK"}, {unix.S_IFCHR, "S_IFCHR"},
			{unix.S_IFBLK, "S_IFBLK"}, {unix.S_IFIFO, "S_IFIFO"}, {unix.S_IFSOCK, "S_IFSOCK"},
		},
		formatSigmask: {{unix.SIG_SETMASK, "SIG_SETMASK"}},
		formatStatx:   {{unix.STATX_BASIC_STATS, "STATX_BASIC_STATS"}, {unix.STATX_MNT_ID, "STATX_MNT_ID"}, {unix.STATX_MNT_ID_UNIQUE, "STATX_MNT_ID_UNIQUE"}},
		formatSeccomp: {{unix.SECCOMP_SET_MODE_FILTER, "SECCOMP_SET_MODE_FILTER"}},
		formatFcntl:   {{unix.F_SETFD, "F_SETFD"}, {unix.F_GETFL, "F_GETFL"}},
		formatDomain:  {{unix.AF_INET, "AF_INET"}, {unix.AF_UNIX, "AF_UNIX"}, {unix.AF_NETLINK, "AF_NETLINK"}},
	}
}

// callNames has the names of the calls in syscalls.go.
func callNames() map[uint32]string {
	tables.callsOnce.Do(func() { tables.calls = makeCallNames() })
	return tables.calls
}

func makeCallNames() map[uint32]string {
	return map[uint32]string{
		opCheck: "check", opJumpIf: "jumpif", opJump: "jump", opSet: "set", opAdd: "add",

		unix.SYS_ACCEPT4: "accept4", unix.SYS_CAPSET: "capset", unix.SYS_CHDIR: "chdir", unix.SYS_CHROOT: "chroot",
		unix.SYS_CLONE: "clone", unix.SYS_CLONE3: "clone3", unix.SYS_CLOSE: "close", unix.SYS_CLOSE_RANGE: "close_range", unix.SYS_DUP3: "dup3",
		unix.SYS_EXECVE: "execve", unix.SYS_EXIT_GROUP: "exit_group", unix.SYS_FACCESSAT2: "faccessat2", unix.SYS_FCHDIR: "fchdir",
		unix.SYS_FCHMOD: "fchmod", unix.SYS_FCHOWNAT: "fchownat", unix.SYS_FCNTL: "fcntl", unix.SYS_FSCONFIG: "fsconfig", unix.SYS_FSETXATTR: "fsetxattr", unix.SYS_FSMOUNT: "fsmount", unix.SYS_FSOPEN: "fsopen", unix.SYS_FSPICK: "fspick",
		unix.SYS_FSTATFS: "fstatfs", unix.SYS_GETCWD: "getcwd", unix.SYS_IOCTL: "ioctl", unix.SYS_IOPRIO_SET: "ioprio_set", unix.SYS_KEYCTL: "keyctl",
		unix.SYS_MKDIRAT: "mkdirat", unix.SYS_MKNODAT: "mknodat", unix.SYS_MOUNT: "mount", unix.SYS_MOUNT_SETATTR: "mount_setattr", unix.SYS_MUNMAP: "munmap",
		unix.SYS_MOVE_MOUNT: "move_mount", unix.SYS_OPENAT: "openat", unix.SYS_OPENAT2: "openat2", unix.SYS_OPEN_TREE: "open_tree",
		unix.SYS_PIVOT_ROOT: "pivot_root", unix.SYS_PERSONALITY: "personality", unix.SYS_PRCTL: "prctl", unix.SYS_PRLIMIT64: "prlimit64", unix.SYS_READ: "read", unix.SYS_RECVFROM: "recvfrom", unix.SYS_RECVMSG: "recvmsg", unix.SYS_SECCOMP: "seccomp", unix.SYS_RT_SIGACTION: "rt_sigaction",
		unix.SYS_RT_SIGPROCMASK: "rt_sigprocmask", unix.SYS_SCHED_SETAFFINITY: "sched_setaffinity", unix.SYS_SCHED_SETATTR: "sched_setattr", unix.SYS_SENDMSG: "sendmsg", unix.SYS_SENDFILE: "sendfile", unix.SYS_SENDTO: "sendto", unix.SYS_SETDOMAINNAME: "setdomainname",
		unix.SYS_SETGROUPS: "setgroups", unix.SYS_SETHOSTNAME: "sethostname", unix.SYS_SETNS: "setns", unix.SYS_SET_MEMPOLICY: "set_mempolicy", unix.SYS_SETRESGID: "setresgid",
		unix.SYS_SETRESUID: "setresuid", unix.SYS_SETSID: "setsid", unix.SYS_SOCKET: "socket", unix.SYS_STATX: "statx",
		unix.SYS_SYMLINKAT: "symlinkat", unix.SYS_UMASK: "umask", unix.SYS_UMOUNT2: "umount2", unix.SYS_UNLINKAT: "unlinkat",
		unix.SYS_UNSHARE: "unshare", unix.SYS_WRITE: "write",
	}
}

func callName(number uint32) string {
	if n, ok := callNames()[number]; ok {
		return n
	}
	return fmt.Sprintf("syscall %d", number)
}

// Call returns the name of an op's system call, or of a pseudo-op.
func (p *Program) Call(op int) string { return callName(p.number(op)) }

// Kind returns the kind of an op.
func (p *Program) Kind(op int) Kind { return kindOf(p.number(op)) }

// number returns the number of an op's system call, or of a pseudo-op.
func (p *Program) number(op int) uint32 { return binary.LittleEndian.Uint32(p.code[op*opSize:]) }

// Failure is an op that failed in a running program.
type Failure struct {
	Op    int
	Errno syscall.Errno
	Note  *Note
	Kind  Kind
	Call  string
}

// FailedOp returns the op that a report is about.
func FailedOp(m protocol.Message) (op int, errno syscall.Errno) {
	offset, e := m.Failure()
	return int(offset / opSize), syscall.Errno(e)
}

// Explain returns the failure that a report ([protocol.KindFailure]) describes. It returns nil
// when this program cannot have sent the message.
func (p *Program) Explain(m protocol.Message) *Failure {
	op, errno := FailedOp(m)
	if m.Kind != protocol.KindFailure || op >= p.Len() {
		return nil
	}
	return &Failure{Op: op, Errno: errno, Note: p.Note(op), Kind: p.Kind(op), Call: p.Call(op)}
}

// Error says what was being done, for which property, which call failed and why.
func (f *Failure) Error() string {
	if f.Note.Hint != nil {
		if hint := f.Note.Hint(f.Errno); hint != "" {
			return f.text() + " (" + hint + ")"
		}
	}
	return f.text()
}

// text is the error without its hint.
func (f *Failure) text() string {
	if f.Note.Explain != nil {
		if s := f.Note.Explain(f.Errno); s != "" {
			return s
		}
	}
	text := f.Note.Subject()
	if f.Kind != KindCheck {
		text += ": " + f.Call
	}
	return text + ": " + f.Errno.Error()
}

// Facts makes it a [fault.Knower].
func (f *Failure) Facts() fault.Facts {
	known := fault.Facts{Errno: f.Errno, Property: f.Note.Where(), HostPath: f.Note.HostPath, ContainerPath: f.Note.ContainerPath()}
	if f.Kind != KindCheck {
		known.Op = f.Call
	}
	if f.Note.Code != nil {
		known.Code = f.Note.Code(f.Errno)
	}
	if f.Note.Hint != nil {
		known.Hint = f.Note.Hint(f.Errno)
	}
	return known
}

// Unwrap returns the errno.
func (f *Failure) Unwrap() error { return f.Errno }

// CloneFlags returns CLONE_NEW* flags as text.
func CloneFlags(flags uint64) string {
	if flags == 0 {
		return "no new namespaces"
	}
	return flagText(formatClone, flags)
}
