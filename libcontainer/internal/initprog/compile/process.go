package compile

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/oci"
)

// cwdError returns the error texts that engines expect.
func cwdError(cwd string) func(syscall.Errno) string {
	return func(e syscall.Errno) string {
		text := e.Error()
		if e == unix.ELOOP {
			text = "it leads through a loop of links, or one to an open file, which is refused: " + text
		}
		return fmt.Sprintf("chdir to cwd (%q) set in config.json failed: %s", cwd, text)
	}
}

// maxVariable is how many bytes an argument or a variable may have, with its name and NUL
// (execve(2)).
const maxVariable = 128 << 10

// maxPathDirs is how many directories PATH may have. Each is looked into by ops of its own, with the
// path of the command in it.
//
// Attacker: the image, which has both the directories and the name. What it says must not multiply.
const maxPathDirs = 4096

// lookUpCommand finds the command as the final user in the final root, so that create reports
// errors. Engines translate the texts into exit codes 126 and 127.
func (c *compiler) lookUpCommand() {
	if c.spec.Process == nil {
		return
	}
	name := c.spec.Process.Args[0]
	c.command = c.Word("command", 0)
	if strings.Contains(name, "/") {
		c.lookUpPath(name)
		return
	}

	path, ok := c.env("PATH")
	hint := ""
	if !ok {
		hint = " (process.env has no PATH)"
	}
	found := c.Label()
	c.Describe(program.Note{Step: stepFindCommand, What: "find the command", Object: name, Property: "process.args[0]", Explain: func(e syscall.Errno) string {
		if e != unix.ENOENT {
			return ""
		}
		return fmt.Sprintf("exec: %q: executable file not found in $PATH%s", name, hint)
	}})
	if len(path) > maxVariable {
		// No process could have such a variable, and an image must not choose the size of a
		// program.
		c.fail("process.env", "PATH has %d bytes: %w", len(path), unix.E2BIG)
		return
	}
	if path != "" && len(name) <= unix.NAME_MAX { // no directory has a longer name
		seen := make(map[string]bool)
		for _, dir := range strings.Split(path, ":") {
			if dir == "" {
				dir = "." // as in execvp(3)
			}
			if seen[dir] {
				continue
			}
			seen[dir] = true
			candidate := dir + "/" + name
			if len(candidate) >= unix.PathMax {
				continue
			}
			if len(seen) > maxPathDirs {
				c.fail("process.env", "PATH has more than %d directories", maxPathDirs)
				return
			}
			next := c.Label()
			//allow:path as the user in the container, like execve will
			c.Statx(program.Cwd(), candidate, 0, c.stat).Allow(program.AnyError).Else(next)
			c.Check(c.stat.Mode(), unix.S_IFMT, unix.S_IFREG, 0).Else(next)
			//allow:path the same
			c.Faccessat2(program.Cwd(), candidate, unix.X_OK).Allow(program.AnyError).Else(next)
			c.Set(c.command, c.String(candidate))
			c.Jump(found)
			c.Bind(next)
		}
	}
	none, other := c.Label(), c.Label()
	c.Bind(none)
	c.Fail(unix.ENOENT)
	c.Bind(found)
	c.unlessImage(other)
	c.Jump(none)
	c.Bind(other)
}

// lookUpPath finds the command by its path.
//
// A process that has a fork left to do is not in the procfs of the container yet: what a path
// through /proc/self leads to only shows afterwards (lookUpAgain). So a path counts as missing
// when it leads to no other mount.
func (c *compiler) lookUpPath(name string) {
	c.Set(c.command, c.String(name))
	if !c.forksLast() {
		c.checkCommand(name)
		return
	}
	defer c.block()()
	c.again = c.Word("again", 0)
	missing, done := c.Label(), c.Label()
	c.checkCommand(name).Allow(unix.ENOENT).Else(missing)
	c.Jump(done)
	c.Bind(missing)
	c.Describe(noteOfStat(name))
	elsewhere, tmp := c.Label(), c.take("tmp")
	//allow:path as the user in the container, like execve will
	c.Openat2(program.Cwd(), name, program.Lookup{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_XDEV}).Into(tmp).
		Allow(unix.EXDEV).Else(elsewhere)
	c.Fail(unix.ENOENT)
	c.Bind(elsewhere)
	c.Set(c.again, program.Int(1))
	c.Bind(done)
}

// lookUpAgain finds the command that could not be found before the last fork.
func (c *compiler) lookUpAgain() {
	if c.again == 0 {
		return
	}
	found := c.Label()
	c.JumpIf(c.again, ^uint32(0), 0, found)
	c.checkCommand(c.spec.Process.Args[0])
	c.Bind(found)
}

// noteOfStat is the note for a look at the command.
func noteOfStat(name string) program.Note {
	return program.Note{Step: stepFindCommand, What: "find the command", Object: name, Property: "process.args[0]", Explain: func(e syscall.Errno) string {
		shown := strconv.Quote(name) // the image may have put a newline into it
		return fmt.Sprintf("exec: %s: stat %s: %s", shown, shown[1:len(shown)-1], e.Error())
	}}
}

// checkCommand fails unless a path is a command. It returns the first look at it.
func (c *compiler) checkCommand(name string) program.Op {
	defer c.block()()
	c.Describe(noteOfStat(name))
	//allow:path as the user in the container, like execve will
	look := c.Statx(program.Cwd(), name, 0, c.stat)
	c.Describe(program.Note{Step: stepFindCommand, What: "find the command", Object: name, Property: "process.args[0]", Explain: func(e syscall.Errno) string {
		return fmt.Sprintf("exec: %q: %s (the link leads to the program that sets the container up)", name, e.Error())
	}})
	other := c.Label()
	c.unlessImage(other)
	c.Fail(unix.ENOENT)
	c.Bind(other)
	c.Describe(program.Note{Step: stepFindCommand, What: "find the command", Object: name, Property: "process.args[0]", Explain: func(e syscall.Errno) string {
		if e == unix.EISDIR {
			return fmt.Sprintf("exec: %q: is a directory: permission denied", name)
		}
		return fmt.Sprintf("exec: %q: %s", name, e.Error())
	}})
	isFile, isDir := c.Label(), c.Label()
	c.JumpIf(c.stat.Mode(), unix.S_IFMT, unix.S_IFREG, isFile)
	c.JumpIf(c.stat.Mode(), unix.S_IFMT, unix.S_IFDIR, isDir)
	c.Fail(unix.EACCES)
	c.Bind(isDir)
	c.Fail(unix.EISDIR)
	c.Bind(isFile)
	//allow:path the same
	c.Faccessat2(program.Cwd(), name, unix.X_OK)
	return look
}

// unlessImage jumps to a label unless the command, whose attributes are known, is an image: that
// of this program by /proc/self/exe, or that of the first process of a created container.
func (c *compiler) unlessImage(other program.Label) {
	c.Check(c.stat.Mode(), protocol.ImageMark, protocol.ImageMark, 0).Else(other)
	c.Check(c.stat.Nlink(), ^uint32(0), 0, 0).Else(other)
}

// waitAtGate reports that the container is created and, unless it starts at once, waits until
// start connects. From then on errors are reported to start.
func (c *compiler) waitAtGate() {
	c.note(stepCreated, "", "report that the container is created", "")
	// The runtime may end now.
	c.Prctl(unix.PR_SET_PDEATHSIG, program.Int(0))
	c.Send(c.socket, protocol.Done(protocol.StageCreated))
	if c.in.Direct {
		// The runtime learns of the execve by the end of the connection.
		c.CloseOnExec(c.socket)
		c.conn = c.Word("conn", int32(c.out.Socket))
		c.out.GateOp = c.OpCount()
		return
	}
	c.Close(c.socket)
	c.Set(program.FailFD, program.Int(-1))
	c.Forget()
	c.note(stepAwaitStart, "", "wait for start", "")
	c.conn = c.Word("conn", -1)
	c.Accept(c.gate).Into(c.conn)
	c.out.GateOp = c.OpCount()
	c.Set(program.FailFD, c.conn.Arg())
	c.Close(c.gate)
}

// exec executes the user's command.
func (c *compiler) exec() {
	p := c.spec.Process
	if p == nil {
		return // start refuses to open the gate
	}
	c.startHooks()
	// Only the connection to start is still open. execve closes it, by which start learns of the
	// execve. The rest of the range is closed in any case.
	c.note(stepCloseOthers, "", "close all descriptors but those of the process", "")
	moved := c.Label()
	c.JumpIf(c.conn, ^uint32(0), uint32(c.out.Socket), moved)
	c.Dup3(c.conn.Arg(), c.socket, unix.O_CLOEXEC)
	c.Set(program.FailFD, c.socket)
	c.Bind(moved)
	c.CloseFrom(program.FD(c.out.Socket+1), ^uint32(0))

	c.setUmask()
	c.execute()
}

// setUmask sets the umask of the process, the caller's by default.
func (c *compiler) setUmask() {
	c.note(stepUmask, "process.user.umask", "set the umask", "")
	if u := c.spec.Process.User.Umask; u != nil {
		c.Umask(program.Mode(*u))
	} else {
		c.Umask(c.umask.Arg())
	}
}

// execute executes the user's command. A failure is reported on a connection that a successful
// execve closes.
func (c *compiler) execute() {
	p := c.spec.Process
	c.started()
	c.Describe(program.Note{Step: stepExecute, What: "execute", Object: p.Args[0], Property: "process.args[0]", Explain: func(e syscall.Errno) string {
		return ExecError(p, e)
	}, Hint: func(e syscall.Errno) string {
		return ExecHint(p, e)
	}})
	c.Execve(c.command, c.vector(p.Args, 0), c.vector(c.environment(), c.home))
}

// ExecError explains why execve failed although the command's file exists and is executable.
func ExecError(p *specs.Process, e syscall.Errno) string {
	return fmt.Sprintf("exec: %q: %s", p.Args[0], e.Error())
}

// ExecHint says what that error means for this process; it is empty when there is nothing to say.
func ExecHint(p *specs.Process, e syscall.Errno) (hint string) {
	switch e {
	case unix.ENOENT:
		hint = "the interpreter that it names in its #! line or ELF header is not in the container"
	case unix.ENOEXEC:
		hint = "neither a program for this machine nor a script with a #! line"
	case unix.E2BIG:
		hint = "process.args and process.env are too large together"
	case unix.EAGAIN:
		hint = fmt.Sprintf("user %d has as many processes as the limit RLIMIT_NPROC of the caller allows", p.User.UID)
		for _, l := range p.Rlimits {
			if l.Type == "RLIMIT_NPROC" {
				hint = fmt.Sprintf("user %d has as many processes as RLIMIT_NPROC allows: %d, process.rlimits", p.User.UID, l.Soft)
			}
		}
	case unix.EACCES, unix.EPERM:
		switch {
		case p.ApparmorProfile != "":
			hint = fmt.Sprintf("AppArmor may not allow it under the profile %q, or not to change to that from the runtime's with no_new_privs", p.ApparmorProfile)
		case p.SelinuxLabel != "":
			hint = fmt.Sprintf("the SELinux policy may not let it have the label %q", p.SelinuxLabel)
		}
	}
	return hint
}

// environment returns process.env, without an empty HOME if the runtime provides one.
func (c *compiler) environment() []string {
	env := oci.Env(c.spec.Process.Env).LastOfEach()
	if c.home != 0 {
		env = env.Without("HOME")
	}
	return env
}

// vector stores an array of string addresses, followed by extra unless it is 0, and by the
// terminating 0.
func (c *compiler) vector(strs []string, extra program.Addr) program.Addr {
	fields := make([]uint64, 0, len(strs)+2)
	for _, s := range strs {
		fields = append(fields, uint64(c.StringAddr(s)))
	}
	if extra != 0 {
		fields = append(fields, uint64(extra))
	}
	return c.Pointers(append(fields, 0))
}
