package compile

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/initprog/seccomp"
	"coracle/libcontainer/internal/oci/bundle"
)

// forksLast reports whether the program has joined a pid namespace that it is not in yet.
func (c *compiler) forksLast() bool { return c.kind == furtherProcess || c.late }

// mayForkLate reports whether the first process of a container, which joins the pid namespace of
// others, does not have to be in it before. A procfs is that of the pid namespace that its maker
// is in, unless the kernel is told of another (Linux 6.17).
func (c *compiler) mayForkLate() bool {
	for _, m := range c.list {
		if m.Type == "proc" && m.isMount() && !m.Bind {
			return c.in.Host.ProcOfOthers != nil && c.in.Host.ProcOfOthers()
		}
	}
	return true
}

// lastForkOfFirst enters a pid namespace with others. The runtime has to know the process before
// it may go on without the runtime.
func (c *compiler) lastForkOfFirst() {
	if !c.late {
		return
	}
	c.lastFork(&entry{}, nil)
	c.note(stepFork, "linux.namespaces", "wait until the runtime knows the process", "")
	c.Prctl(unix.PR_SET_PDEATHSIG, program.Int(unix.SIGKILL))
	c.sync(c.socket, protocol.PointPid)
}

// lastFork enters the pid namespace: it goes on in a child, which is all that others there ever
// see of the program. It comes when nothing is left to do that takes a privilege, so whoever
// gets hold of the child has what the process has anyway. The seccomp filter is loaded before,
// if that allows what comes after it.
//
// setAffinity sets the CPUs once more, which the cgroup may have changed.
func (c *compiler) lastFork(e *entry, setAffinity func()) {
	if !c.forksLast() {
		return
	}
	c.out.ForksLast = true
	if e == nil {
		e = &entry{}
	}
	if c.filter != nil && c.survives(e) {
		c.filterEarly()
	}
	explain := goneError
	if c.late {
		explain = nil
	}
	c.noteFork(explain)
	c.fork(func(pid, pidfd program.Word) {
		if e.last {
			c.forkInto(e, pid, pidfd)
		} else {
			c.Fork(pidfd).Into(pid)
		}
	})
	c.enterLast(e)
	c.Setsid()
	c.controllingTerminal()
	if e.procs != nil && e.late {
		setAffinity()
	}
	if l, ok := c.processLimit(); ok {
		c.note(stepRlimits, "process.rlimits", "set the limit of processes", "")
		c.LimitTo(unix.RLIMIT_NPROC, l.Soft, l.Hard)
	}
	c.lookUpAgain()
	if c.schedulesLast() && !c.late {
		c.note(stepScheduler, "process.scheduler", "wait for the scheduling policy", "")
		c.sync(c.socket, protocol.PointPid)
	}
}

// survives reports whether the seccomp filter allows what a program does after its last fork,
// the execve apart, so that it can be loaded before. A listener has to be handed over by the
// process that it is for.
func (c *compiler) survives(e *entry) bool {
	if c.filter.Notify {
		return false
	}
	calls := []seccomp.Call{
		seccomp.Native(unix.SYS_CLONE, program.ForkFlags, 0, 0, 0, 0),
		c.conversation(unix.SYS_SENDMSG, 0, unix.MSG_NOSIGNAL),
		c.conversation(unix.SYS_SENDTO, 0, protocol.MessageSize, unix.MSG_NOSIGNAL),
		seccomp.Native(unix.SYS_EXIT_GROUP, 0),
		seccomp.Native(unix.SYS_EXIT_GROUP, 1),
		seccomp.Native(unix.SYS_SETSID),
	}
	with := func(when bool, call seccomp.Call) {
		if when {
			calls = append(calls, call)
		}
	}
	_, limited := c.processLimit()
	with(e.last, seccomp.Native(unix.SYS_CLONE3))
	late := e.procs != nil && e.late
	with(late, seccomp.Native(unix.SYS_WRITE, uint64(c.keptProcs), 0, 1))
	with(late, seccomp.Native(unix.SYS_CLOSE, uint64(c.keptProcs)))
	with(e.count != nil, seccomp.Native(unix.SYS_WRITE, uint64(c.keptCount), 0, 1))
	with(e.count != nil, seccomp.Native(unix.SYS_CLOSE, uint64(c.keptCount)))
	with(late, seccomp.Native(unix.SYS_SCHED_SETAFFINITY, 0, affinityBytes))
	with(c.spec.Process.Terminal, seccomp.Native(unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 0))
	with(limited, seccomp.Native(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NPROC, 0, 0))
	with(c.schedulesLast(), c.conversation(unix.SYS_RECVFROM, 0, protocol.MessageSize))
	with(c.keptForFilter() != 0, seccomp.Native(unix.SYS_CAPSET))
	if c.late {
		calls = append(calls, c.callsUpToStart()...)
	}
	for _, call := range calls {
		if !c.filter.Allows(call) {
			return false
		}
	}
	return true
}

// callsUpToStart are those of a first process that has forked last.
func (c *compiler) callsUpToStart() []seccomp.Call {
	socket, gate := uint64(c.out.Socket), uint64(c.out.Gate)
	return []seccomp.Call{
		seccomp.Native(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uint64(unix.SIGKILL)),
		seccomp.Native(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, 0),
		c.conversation(unix.SYS_RECVFROM, 0, protocol.MessageSize),
		seccomp.Native(unix.SYS_CLOSE, socket),
		seccomp.Native(unix.SYS_CLOSE, gate),
		seccomp.Native(unix.SYS_FCNTL, socket, unix.F_SETFD, unix.FD_CLOEXEC),
		seccomp.Native(unix.SYS_MUNMAP),
		seccomp.Native(unix.SYS_ACCEPT4, gate, 0, 0, unix.SOCK_CLOEXEC),
		seccomp.Native(unix.SYS_DUP3, socket+2, socket, unix.O_CLOEXEC),
		seccomp.Native(unix.SYS_CLOSE_RANGE, socket+1, uint64(^uint32(0)), 0),
		seccomp.Native(unix.SYS_UMASK),
	}
}

// limitsProcesses reports whether the process has a limit for the processes of its user. The
// kernel does not apply it to the superuser of the host.
func (c *compiler) limitsProcesses() bool {
	_, ok := c.processLimit()
	return ok && (c.users != hostUsers || c.spec.Process.User.UID != 0)
}

// processLimit is the limit RLIMIT_NPROC of a process that forks last. There is one process more
// up to then, so the runtime allows that ([LimitBeforeFork]).
func (c *compiler) processLimit() (limit specs.POSIXRlimit, ok bool) {
	if p := c.spec.Process; p != nil && c.forksLast() {
		for _, l := range p.Rlimits {
			if l.Type == limitOfProcesses {
				limit, ok = l, true
			}
		}
	}
	return limit, ok
}

const limitOfProcesses = "RLIMIT_NPROC"

// LimitBeforeFork is a resource limit as it has to be before the last fork.
func LimitBeforeFork(l specs.POSIXRlimit) specs.POSIXRlimit {
	if l.Type == limitOfProcesses && l.Hard != ^uint64(0) {
		l.Hard++
		if l.Soft != ^uint64(0) {
			l.Soft++
		}
	}
	return l
}

// schedulesLast reports whether a process gets its scheduling policy from the runtime, after the
// last fork: it is one that children do not have, and that takes a privilege.
func (c *compiler) schedulesLast() bool {
	return c.forksLast() && SchedulesLast(c.spec.Process)
}

// SchedulesLast reports whether children of a process do not have its scheduling policy.
func SchedulesLast(p *specs.Process) bool {
	const resetOnFork = 1 // SCHED_FLAG_RESET_ON_FORK
	if p == nil || p.Scheduler == nil {
		return false
	}
	a := bundle.SchedAttr(p.Scheduler)
	return a.Policy == unix.SCHED_DEADLINE || a.Flags&resetOnFork != 0
}

// stayHidden keeps a process that forks last from being looked into after its ids have changed,
// which can make it dumpable (fs.suid_dumpable), and from outliving the runtime.
func (c *compiler) stayHidden() {
	if !c.forksLast() {
		return
	}
	c.note(stepHide, "", "hide from the container", "")
	c.Prctl(unix.PR_SET_DUMPABLE, program.Int(0))
	c.Prctl(unix.PR_SET_PDEATHSIG, program.Int(unix.SIGKILL))
}
