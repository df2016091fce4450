package main

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The rules, by the names that exceptions use:
//
//	path    Files are named by descriptors and names below them. A path that is resolved
//	        again may lead to a file that an attacker has put there meanwhile. The rule
//	        applies to packages that may handle files of a container.
//	links   The result of filepath.EvalSymlinks may be outdated.
//	cloexec Descriptors are close-on-exec from the beginning.
//	prefix  "/a" is a prefix of "/ab" but not its parent: paths are compared by components.
//	exec    Programs are executed by absolute paths, or by descriptors.
//	atoi    strconv.Atoi accepts signs, and numbers that are not ids. Ids are parsed by
//	        ParseUint with 32 bits.
//	annotations
//	        Only package bundle reads annotations. It has the list of their effects, which
//	        features shows to engines.
//	process A library must not do what affects the whole process: its program may have other
//	        children, signals and streams, and needs its working directory. What commands do
//	        with them is in internal/foreground. The rule applies to the library.
//	flag    Texts of the library name no flags of the command line, which its other callers do
//	        not have: a command adds such advice, by the code of an error.
var rules = []string{"path", "links", "cloexec", "prefix", "exec", "atoi", "annotations", "process", "flag"}

// namesFlag is a flag in a text.
var namesFlag = regexp.MustCompile(`(^|[^-\w])--[a-z]`)

// processWide are functions and constants that affect the whole process. A single thread is not
// affected by the rule.
var processWide = map[string][]string{
	"os": {"Chdir", "Clearenv", "Exit", "Setenv", "Stderr", "Stdin", "Stdout", "Unsetenv"},
	"golang.org/x/sys/unix": {
		"Chdir", "Chroot", "Clearenv", "Exec", "Exit", "Fchdir", "PR_SET_CHILD_SUBREAPER", "PR_SET_NAME", "PR_SET_PDEATHSIG", "SYS_RT_SIGACTION",
		"Setenv", "Setpgid", "Setpriority", "Setrlimit", "Setsid", "TCSETS", "TIOCSPGRP", "Umask", "Unsetenv",
	},
}

// byPath are the functions that take a path without a directory to start from.
var byPath = map[string][]string{
	"os": {
		"Chdir", "Chmod", "Chown", "Chtimes", "CopyFS", "Create", "CreateTemp", "DirFS", "Lchown", "Link", "Lstat", "Mkdir", "MkdirAll",
		"MkdirTemp", "Open", "OpenFile", "OpenInRoot", "OpenRoot", "ReadDir", "ReadFile", "Readlink", "Remove", "RemoveAll", "Rename",
		"Stat", "Symlink", "Truncate", "WriteFile",
	},
	"path/filepath": {"Glob", "Walk", "WalkDir"},
	"golang.org/x/sys/unix": {
		"Access", "Acct", "Chdir", "Chmod", "Chown", "Chroot", "Creat", "Getxattr", "Lchown", "Lgetxattr", "Link", "Listxattr", "Llistxattr",
		"Lremovexattr", "Lsetxattr", "Lstat", "Lutimes", "Mkdir", "Mkfifo", "Mknod", "Mount", "Open", "PivotRoot", "Readlink",
		"Removexattr", "Rename", "Rmdir", "Setxattr", "Stat", "Statfs", "Symlink", "Truncate", "Unlink", "Unmount", "Utime", "Utimes",
		"UtimesNano",
		"AT_FDCWD", // as the directory argument of another function
	},
	"coracle/libcontainer/internal/linux":            {"ReadFollow", "Write"},
	"coracle/libcontainer/internal/initprog/program": {"Cwd"}, // AT_FDCWD in a program
}

// closing has the flag that makes the descriptor of a function close-on-exec.
var closing = map[string]string{
	"Accept4": "SOCK_CLOEXEC", "Dup3": "O_CLOEXEC", "EpollCreate1": "EPOLL_CLOEXEC", "Eventfd": "EFD_CLOEXEC",
	"FanotifyInit": "FAN_CLOEXEC", "Fsmount": "FSMOUNT_CLOEXEC", "Fsopen": "FSOPEN_CLOEXEC", "Fspick": "FSPICK_CLOEXEC",
	"InotifyInit1": "IN_CLOEXEC", "MemfdCreate": "MFD_CLOEXEC", "Open": "O_CLOEXEC", "OpenTree": "OPEN_TREE_CLOEXEC", "Openat": "O_CLOEXEC",
	"PerfEventOpen": "PERF_FLAG_FD_CLOEXEC", "Pipe2": "O_CLOEXEC", "Recvmsg": "MSG_CMSG_CLOEXEC", "RecvmsgBuffers": "MSG_CMSG_CLOEXEC",
	"Signalfd": "SFD_CLOEXEC", "Socket": "SOCK_CLOEXEC", "Socketpair": "SOCK_CLOEXEC", "TimerfdCreate": "TFD_CLOEXEC",
}

// naked are functions that have no such flag, and what to use instead.
var naked = map[string]string{
	"Accept": "Accept4", "Creat": "Openat", "Dup": "FcntlInt with F_DUPFD_CLOEXEC", "Dup2": "Dup3", "EpollCreate": "EpollCreate1",
	"InotifyInit": "InotifyInit1", "Pipe": "Pipe2", "F_DUPFD": "F_DUPFD_CLOEXEC",
}

// opening are system calls that create descriptors.
var opening = map[string]bool{
	"SYS_ACCEPT": true, "SYS_ACCEPT4": true, "SYS_DUP": true, "SYS_DUP2": true, "SYS_DUP3": true, "SYS_EVENTFD2": true, "SYS_FSMOUNT": true,
	"SYS_FSOPEN": true, "SYS_MEMFD_CREATE": true, "SYS_OPEN": true, "SYS_OPENAT": true, "SYS_OPEN_TREE": true, "SYS_PIPE": true,
	"SYS_PIPE2": true, "SYS_RECVMSG": true, "SYS_SOCKET": true, "SYS_SOCKETPAIR": true, "SYS_SIGNALFD4": true, "SYS_TIMERFD_CREATE": true,
}

// walk applies all rules to a file.
func (c *checker) walk(file *ast.File) {
	c.readFunctions(file)
	// Composite literals are checked on their own, and selectors as parts of calls.
	literal := make(map[ast.Expr]bool)
	call := make(map[ast.Expr]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			literal[n.Type] = true
			c.lookup(n)
		case *ast.CallExpr:
			call[n.Fun] = true
			c.call(n)
			c.annotations(n.Args...)
		case *ast.IndexExpr:
			c.annotations(n.X)
		case *ast.RangeStmt:
			c.annotations(n.X)
		case *ast.AssignStmt:
			c.annotations(n.Rhs...)
		case *ast.BasicLit:
			if text, ok := constant(n); ok && c.library && !c.advises && namesFlag.MatchString(text) {
				c.add(n.Pos(), "flag", "%q names a flag of a command", namesFlag.FindString(text))
			}
		case *ast.SelectorExpr:
			c.selector(n, literal[n], call[n])
		}
		return true
	})
}

// annotations refuses code that reads the annotations of a configuration. Passing them on unread,
// in a composite literal, is allowed.
func (c *checker) annotations(exprs ...ast.Expr) {
	if c.annotated {
		return
	}
	for _, e := range exprs {
		if pkg, name := c.called(e); pkg == "" && name == "Annotations" {
			c.add(e.Pos(), "annotations", "bundle.Annotation tells what an annotation says, and that somebody looks at it")
		}
	}
}

// selector checks names that must not be mentioned at all, because a function that is stored in a
// variable may be called later.
func (c *checker) selector(s *ast.SelectorExpr, isLiteral, isCall bool) {
	pkg, name := c.called(s)
	if pkg == "syscall" {
		pkg = "golang.org/x/sys/unix"
	}
	if c.rootfs {
		for _, f := range byPath[pkg] {
			if f == name {
				c.add(s.Pos(), "path", "%s: a path without a descriptor of the directory that it is in", name)
			}
		}
	}
	if c.library && !c.inInit && slices.Contains(processWide[pkg], name) {
		c.add(s.Pos(), "process", "%s concerns the whole process, which is not the library's", name)
	}
	switch {
	case pkg == "path/filepath" && name == "EvalSymlinks":
		c.add(s.Pos(), "links", "EvalSymlinks tells where a path led: let the kernel resolve it, with openat2")
	case pkg == "strconv" && name == "Atoi":
		c.add(s.Pos(), "atoi", "Atoi takes signs and numbers that are no ids")
	case pkg == "os/exec" && name == "LookPath":
		c.add(s.Pos(), "exec", "LookPath finds what somebody has put into PATH")
	case pkg == "golang.org/x/sys/unix" && naked[name] != "":
		c.add(s.Pos(), "cloexec", "%s makes a descriptor that stays open on exec: use %s", name, naked[name])
	case pkg == "golang.org/x/sys/unix" && closing[name] != "" && !isCall:
		c.add(s.Pos(), "cloexec", "%s is not called here, so nobody knows by which flags it will be", name)
	case pkg == "golang.org/x/sys/unix" && name == "OpenHow" && !isLiteral:
		c.add(s.Pos(), "cloexec", "OpenHow without its flags")
	}
}

// lookup checks the arguments of openat2, in the runtime and in programs.
func (c *checker) lookup(l *ast.CompositeLit) {
	pkg, name := c.called(l.Type)
	if (pkg == "golang.org/x/sys/unix" && name == "OpenHow" || strings.HasSuffix(pkg, "/program") && name == "Lookup") && !mentions(l.Elts, "O_CLOEXEC") {
		c.add(l.Pos(), "cloexec", "%s without O_CLOEXEC", name)
	}
}

// call checks the arguments of a call.
func (c *checker) call(call *ast.CallExpr) {
	pkg, name := c.called(call.Fun)
	switch pkg {
	case "golang.org/x/sys/unix", "syscall":
		if name == "Wait4" && c.library && !c.inInit && len(call.Args) > 0 && isNegative(call.Args[0]) {
			c.add(call.Pos(), "process", "Wait4 takes the status of children that are not the library's")
		}
		if flag := closing[name]; flag != "" && !mentions(call.Args, flag) && !c.flagsHold(call, flag) {
			c.add(call.Pos(), "cloexec", "%s without %s", name, flag)
		}
		if strings.Contains(name, "Syscall") && len(call.Args) > 0 {
			if _, number := c.called(call.Args[0]); opening[number] && !mentions(call.Args[1:], "CLOEXEC") {
				c.add(call.Pos(), "cloexec", "%s without a flag that closes it on exec", number)
			}
		}
	case "":
		// Calls in a program. A descriptor that replaces a standard stream has to stay open, and
		// needs an exception.
		if programCall[name] && len(call.Args) >= 3 && !mentions(call.Args, closing[name]) && !c.flagsHold(call, closing[name]) {
			c.add(call.Pos(), "cloexec", "%s without %s", name, closing[name])
		}
	case "os/exec":
		n := 0
		if name == "CommandContext" {
			n = 1
		}
		if (name == "Command" || name == "CommandContext") && len(call.Args) > n {
			if s, ok := constant(call.Args[n]); !ok || !strings.HasPrefix(s, "/") {
				c.add(call.Pos(), "exec", "the program is not named by an absolute path")
			}
		}
	case "strings", "bytes":
		switch name {
		case "HasPrefix", "TrimPrefix", "CutPrefix":
			if len(call.Args) == 2 {
				c.prefix(call, name)
			}
		}
	}
}

// isNegative reports whether an expression is a negative number, which names many processes.
func isNegative(e ast.Expr) bool {
	u, ok := e.(*ast.UnaryExpr)
	return ok && u.Op == token.SUB
}

// programCall are the methods of package program that create descriptors.
var programCall = map[string]bool{"Dup3": true, "OpenTree": true, "Openat": true}

// prefix checks a comparison of paths.
func (c *checker) prefix(call *ast.CallExpr, name string) {
	last, known := lastPart(call.Args[1])
	if known && strings.HasSuffix(last, "/") {
		return // a whole component
	}
	if known && (strings.HasPrefix(last, "/") || last == "..") || isPath(call.Args[0]) && !known || isPath(call.Args[1]) {
		c.add(call.Pos(), "prefix", "%s of a path cuts through components: the prefix has to end in /", name)
	}
}

// lastPart returns the constant at the end of a string expression.
func lastPart(e ast.Expr) (string, bool) {
	if b, ok := e.(*ast.BinaryExpr); ok && b.Op == token.ADD {
		e = b.Y
	}
	return constant(e)
}

func constant(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}

// pathNames are parts of typical names of paths.
var pathNames = []string{"path", "dir", "dest", "destination", "root", "rootfs", "base", "mountpoint", "target", "cwd", "parent", "exe", "file"}

// isPath reports whether an expression looks like a path by its name.
func isPath(e ast.Expr) bool {
	var name string
	switch e := e.(type) {
	case *ast.Ident:
		name = e.Name
	case *ast.SelectorExpr:
		name = e.Sel.Name
	case *ast.CallExpr:
		if s, ok := e.Fun.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && (x.Name == "path" || x.Name == "filepath") {
				return true
			}
		}
		return false
	default:
		return false
	}
	name = strings.ToLower(name)
	for _, p := range pathNames {
		if name == p || strings.HasSuffix(name, p) {
			return true
		}
	}
	return false
}
