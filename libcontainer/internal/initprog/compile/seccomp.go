package compile

import (
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/initprog/seccomp"
	"coracle/libcontainer/internal/oci/bundle"
)

// capSysAdmin is needed to load a filter without no_new_privs.
const capSysAdmin = 1 << unix.CAP_SYS_ADMIN

// compileFilter compiles linux.seccomp, and checks what can be checked before the process exists:
// whether it will be able to load the filter and to continue under it.
func (c *compiler) compileFilter() {
	if c.spec.Linux == nil || c.spec.Linux.Seccomp == nil || c.spec.Process == nil {
		return
	}
	f, err := seccomp.Compile(c.spec.Linux.Seccomp)
	if err != nil {
		c.fail("linux.seccomp", "%w", err)
		return
	}
	c.filter, c.out.Listener, c.out.UnknownCalls = f, f.Notify, f.Unknown
	if !c.spec.Process.NoNewPrivileges && !c.privileged() && !c.in.Host.can(unix.CAP_SYS_ADMIN) {
		c.fail("linux.seccomp", "a filter needs process.noNewPrivileges, or a runtime that has CAP_SYS_ADMIN")
	}
	switch answer := f.Answer(seccomp.Native(unix.SYS_EXECVE)); seccomp.ActionName(answer) {
	case specs.ActAllow, specs.ActLog, specs.ActTrace, specs.ActNotify:
	default:
		c.fail("linux.seccomp", "the filter answers execve with %s, so no process could be started", seccomp.ActionName(answer))
	}
}

// CheckFilter returns problems of a configuration's linux.seccomp. The other properties need not
// be valid.
func CheckFilter(s *specs.Spec) (problems []bundle.Problem) {
	host := Host{Capabilities: ^uint64(0)}
	c := &compiler{spec: s, in: Input{Host: host}}
	c.compileFilter()
	for _, p := range c.problems {
		problems = append(problems, p.Problem)
	}
	return problems
}

// keptForFilter returns the capabilities that have to stay until the filter is loaded. Having
// them in the permitted set does not affect what execve grants, which depends on the other sets.
func (c *compiler) keptForFilter() uint64 {
	if c.filter == nil || c.spec.Process.NoNewPrivileges {
		return 0
	}
	return capSysAdmin
}

// started reports that the command is executed next, and loads the seccomp filter.
//
// The filter comes last, because it may deny anything: only execve, and the report of its
// failure, run under it. Without no_new_privs this needs CAP_SYS_ADMIN, which the program keeps
// in its permitted set until now. The report carries the descriptor of a listener if there is
// one, so it then comes after the filter.
func (c *compiler) started() {
	done := protocol.Done(protocol.StageStarted)
	if c.filter == nil || c.early {
		c.note(stepReportStart, "", "report the start", "")
		c.Send(c.socket, done)
		return
	}
	how := c.agentWait()
	switch {
	case !c.filter.Notify:
		c.note(stepReportStart, "", "report the start", "")
		c.Send(c.socket, done)
	case !how.sends:
		c.note(stepOfferListener, "linux.seccomp.listenerPath", "let the runtime take the seccomp listener", "")
		held := protocol.ListenerHeld
		if how.notified {
			held = protocol.ListenerNotified
		}
		c.Send(c.socket, protocol.Started(held))
	}
	set := c.loadFilter()
	if c.filter.Notify {
		listener := c.Word("listener", -1)
		set.Into(listener)
		c.handOver(done, listener, how)
	}
}

// loadFilter loads the seccomp filter.
func (c *compiler) loadFilter() program.Op {
	if c.keptForFilter() != 0 {
		c.note(stepRegainAdmin, "linux.seccomp", "regain CAP_SYS_ADMIN for the seccomp filter", "")
		c.Capset(c.caps.Effective|capSysAdmin, c.caps.Permitted|capSysAdmin, c.caps.Inheritable)
	}
	c.reportUnderFilter()
	c.Describe(program.Note{Step: stepSeccomp, What: "load the seccomp filter", Property: "linux.seccomp", Explain: filterError})
	return c.SetFilter(c.filter.Flags, c.filter.Encode())
}

// filterEarly loads the seccomp filter when the program has a fork left to do, and gives up what
// was kept for that.
func (c *compiler) filterEarly() {
	c.early = true
	c.loadFilter()
	if c.keptForFilter() != 0 {
		c.note(stepCapabilities, "process.capabilities", "give CAP_SYS_ADMIN up", "")
		c.Capset(c.caps.Effective, c.caps.Permitted, c.caps.Inheritable)
	}
}

// filterError explains why a filter cannot be loaded.
func filterError(e syscall.Errno) string {
	switch e {
	case unix.EINVAL:
		return "load the seccomp filter (linux.seccomp): the kernel does not know one of the flags or actions: " + e.Error()
	case unix.EBUSY:
		return "load the seccomp filter (linux.seccomp): a filter with a listener is loaded already, and there can be only one: " + e.Error()
	}
	return ""
}

// conversation returns the arguments of a call on the socket. Pointers are 0, because a filter
// cannot reasonably check them.
func (c *compiler) conversation(call uintptr, args ...uint64) seccomp.Call {
	return seccomp.Native(call, append([]uint64{uint64(c.out.Socket)}, args...)...)
}

// reportUnderFilter finds a system call by which a failed execve can be reported.
func (c *compiler) reportUnderFilter() {
	const size = protocol.MessageSize
	switch {
	case c.filter.Allows(c.conversation(unix.SYS_SENDTO, 0, size, unix.MSG_NOSIGNAL)):
	case c.filter.Allows(c.conversation(unix.SYS_WRITE, 0, size)):
		c.Set(program.ReportCall, program.Int(unix.SYS_WRITE))
	default:
		c.out.Mute = true
		c.remark("linux.seccomp", "the filter allows neither sendto nor write; if the command cannot be executed, the reason cannot be reported")
	}
}

// agentWait is how a program waits until the agent has its listener.
type agentWait struct {
	// sends reports whether the program sends the descriptor. Otherwise the runtime takes it.
	sends bool
	// call is the system call by which it waits; ok is false when there is none. notified reports
	// whether the filter passes that call to the listener, so that the answer comes from there.
	call     uintptr
	ok       bool
	notified bool
}

// agentWait finds out what the filter allows the program. No call of the program may go to the
// agent, which does not have the listener yet.
func (c *compiler) agentWait() (how agentWait) {
	const size = protocol.MessageSize
	calls := []struct {
		number uintptr
		call   seccomp.Call
	}{
		{unix.SYS_RECVFROM, c.conversation(unix.SYS_RECVFROM, 0, size)},
		{unix.SYS_READ, c.conversation(unix.SYS_READ, 0, size)},
		{unix.SYS_SENDMSG, c.conversation(unix.SYS_SENDMSG, 0, unix.MSG_NOSIGNAL)},
	}
	for _, w := range calls[:2] {
		if c.filter.Allows(w.call) {
			return agentWait{sends: c.filter.Allows(calls[2].call), call: w.number, ok: true}
		}
	}
	for _, w := range calls {
		if seccomp.ActionName(c.filter.Answer(w.call)) == specs.ActNotify {
			return agentWait{call: w.number, ok: true, notified: true}
		}
	}
	return agentWait{}
}

// handOver sends the descriptor of the listener, if it has to, and waits until the agent has
// it.
func (c *compiler) handOver(m protocol.Message, listener program.Word, how agentWait) {
	c.note(stepHandOverListener, "linux.seccomp.listenerPath", "hand over the seccomp listener", "")
	if how.sends {
		c.SendFD(c.socket, m.Encode(), listener.Arg())
	}
	if !how.ok {
		c.fail("linux.seccomp", "the listener of %s cannot be handed over: the filter has to allow, or to notify of, one of recvfrom, read and sendmsg for that", specs.ActNotify)
		return
	}
	answered := c.Label()
	switch how.call {
	case unix.SYS_RECVFROM:
		c.Recv(c.socket, c.reply, protocol.MessageSize).Into(c.got)
	case unix.SYS_READ:
		c.Read(c.socket, c.reply, protocol.MessageSize).Into(c.got)
	case unix.SYS_SENDMSG:
		c.SendFD(c.socket, m.Encode(), listener.Arg()).Into(c.got)
	}
	c.Check(c.got, ^uint32(0), 0, 0).Else(answered)
	c.Exit(1)
	c.Bind(answered)
}
