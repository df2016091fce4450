package libcontainer

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"
	"unicode"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/jsonpos"
	"coracle/libcontainer/internal/state"
)

// hookRunner runs hooks of one container. A hook runs by means of an init program of its own,
// like an additional process of the container. That puts it into the right namespaces, and lets
// the runtime watch and kill it.
type hookRunner struct {
	runtime *Runtime
	spec    *specs.Spec
	record  *state.Record
	// pidfd and root are the first process of the container and its root directory, now or after
	// the pivot, for hooks that run in the container's namespaces.
	pidfd, root int
	// dir records the process of each hook; nil for hooks that die with the container.
	dir *state.Dir
	// interrupt ends a hook when everything is to be given up.
	interrupt *linux.Interrupt
}

// place is where hooks of a kind run.
type place int

const (
	inRuntime place = iota // in the namespaces of the runtime
	// inNamespaces: in the container's namespaces, with paths in the runtime's.
	inNamespaces
	inContainer // in the container's namespaces, with paths in the container
)

// run runs the hooks of a kind in order. It stops at the first error.
func (h *hookRunner) run(kind string, hooks []specs.Hook, where place, status specs.ContainerState) error {
	for i, hook := range hooks {
		if err := h.runOne(fmt.Sprintf("%s[%d]", kind, i), hook, where, status); err != nil {
			return err
		}
	}
	return nil
}

// runAll runs the hooks of a kind in order, and warns of those that fail.
func (h *hookRunner) runAll(kind string, hooks []specs.Hook, status specs.ContainerState) {
	for i, hook := range hooks {
		if err := h.runOne(fmt.Sprintf("%s[%d]", kind, i), hook, inRuntime, status); err != nil {
			h.runtime.warn("%v", err)
		}
	}
}

// runOne runs a hook. Its error has the facts of a hook.
func (h *hookRunner) runOne(name string, hook specs.Hook, where place, status specs.ContainerState) error {
	err := h.execute(name, hook, where, status)
	f := fault.Facts{Phase: "hooks", Code: fault.HookFailed, Property: "hooks." + name, HostPath: hook.Path}
	if where == inContainer {
		f.HostPath, f.ContainerPath = "", hook.Path
	}
	if errors.Is(err, fault.HookTimeout) {
		f.Code = fault.HookTimeout
	}
	return fault.With(err, f)
}

func (h *hookRunner) execute(name string, hook specs.Hook, where place, status specs.ContainerState) error {
	what := fmt.Sprintf("hook %q (hooks.%s)", hook.Path, name)
	in := compile.HookInput{Hook: hook, Name: name, Spec: h.spec, Pidfd: -1, Root: -1, Cwd: -1}
	if hook.Env == nil {
		in.Environ = os.Environ()
	}
	pid := h.record.Pid
	if where != inRuntime {
		in.Pidfd, in.Spec = h.pidfd, asSeenFrom(h.spec, pid)
		var err error
		if pid, err = state.InnerPid(pid); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	var process *specs.Process // set when the hook has to be confined like the container's process
	var into cgroup.Place
	switch where {
	case inRuntime:
		// The bundle may be removed after the creation.
		in.Dir, in.MayBeGone = h.record.Bundle, status != specs.StateCreating
	case inNamespaces:
		// Until the pivot the container's process has the runtime's root directory, which may
		// differ from the root of the mount namespace.
		root, err := openRoot(h.record.Pid)
		if err != nil {
			return fmt.Errorf("%s: root directory: %w", what, err)
		}
		defer unix.Close(root)
		// A relative path is in the container, not on the host, and so is one in a variable of
		// the caller.
		in.Root, in.Cwd, in.Environ = root, h.root, oci.Env(in.Environ).Absolute()
	case inContainer:
		in.Root, in.Inside, process = h.root, true, h.spec.Process
		var err error
		if into, err = cgroup.Load(h.record.Cgroup).Place(nil, h.record.Pid); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		in.Host = h.runtime.host(h.spec, nil, false)
		in.Host.CgroupJoin, in.Host.CgroupCount, in.Host.CgroupBirth = into.Join, into.Count, into.Birth
		in.Exposed = exposed(h.spec, h.record)
	}
	in.Host.TimerSlack = h.runtime.TimerSlack
	if status == specs.StateStopped {
		pid = 0
	}
	out, err := compile.Hook(in)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if out.TakesTwo && into.Crowded() {
		out.Program.Preset(out.Outside, 1)
	}
	stdin := jsonpos.Marshal(&specs.State{
		Version: specs.Version, ID: h.record.ID, Status: status, Pid: pid, Bundle: h.record.Bundle, Annotations: h.record.Annotations,
	}, "")
	p := &hookProcess{process: process, stdin: stdin, container: -1, interrupt: h.interrupt}
	if status == specs.StateCreating || status == specs.StateCreated {
		p.container = h.pidfd
	}
	defer p.close()
	var listener func(int) error
	if l := listenerOf(h.spec, out); l != nil {
		listener = func(fd int) error { return handOver(l, h.record, p.init.Pid, status, fd, h.interrupt) }
	}
	if err := p.start(h.runtime, out, listener); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if h.dir != nil {
		defer h.dir.RemoveHook()
		if err := h.dir.SaveHook(p.init.Pid); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	timeout := time.Duration(0)
	if hook.Timeout != nil {
		timeout = time.Duration(min(*hook.Timeout, math.MaxInt32)) * time.Second
	}
	if err := p.wait(timeout); err != nil {
		return fmt.Errorf("%s: %w%s", what, err, p.tail())
	}
	return nil
}

// openRoot pins the root directory of a process.
func openRoot(pid int) (int, error) {
	//allow:path the host's /proc, and a link of the kernel that is only pinned
	return unix.Open(linux.PID(pid).Living().Path("root"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// maxHookOutput is how much of a hook's output is kept, in bytes, from its end.
const maxHookOutput = 4096

// maxPipe is the size of a pipe, in bytes (pipe(7)).
const maxPipe = 65536

// hookProcess is a running hook.
type hookProcess struct {
	init *launch.Init
	// process is the container's process for a hook with the same limits.
	process *specs.Process
	stdin   []byte // what is left to write
	output  []byte
	// input and result are this process's ends of the pipes; -1 when closed.
	input, result int
	// container is a pidfd of the container's first process if the hook is useless without it,
	// otherwise -1. That process ends when the container is deleted meanwhile.
	container int
	// interrupt is that of the hookRunner.
	interrupt *linux.Interrupt
}

// start returns when the hook has been executed. listener receives its seccomp listener; it is
// nil when the hook has none.
func (p *hookProcess) start(r *Runtime, out *compile.Output, listener func(fd int) error) error {
	var in, res [2]int
	p.input, p.result = -1, -1
	if err := unix.Pipe2(in[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe", err)
	}
	p.input = in[1]
	defer unix.Close(in[0])
	if err := unix.Pipe2(res[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe", err)
	}
	p.result = res[0]
	defer unix.Close(res[1])
	for _, fd := range []int{p.input, p.result} {
		if err := unix.SetNonblock(fd, true); err != nil {
			return os.NewSyscallError("fcntl", err)
		}
	}
	var files hostFiles
	defer files.close()
	table, err := files.table(out, []int{in[0], res[1], res[1]})
	if err != nil {
		return err
	}
	if p.init, err = r.launch(&files, out, table, out.Birth, waiting{interrupt: p.interrupt}); err != nil {
		return err
	}
	s := setup{init: p.init, interrupt: p.interrupt, forks: out.Forks, listener: listener}
	if out.ForksLast {
		s.last = 1
	}
	if compile.SchedulesLast(p.process) {
		s.pid = func() error { return setScheduler(p.init.Pid, p.process.Scheduler) }
	}
	if p.process != nil {
		s.atReady(p.process, func(string) {}, nil)
	}
	if err := s.follow(protocol.StageStarted); err != nil {
		return err
	}
	r.trace("execve of a hook announced")
	err = p.init.Executed()
	if out.Mute {
		err = explainMute(err)
	}
	return err
}

// wait writes the state, reads the output and waits for the end of the hook, up to the timeout
// unless that is 0.
func (p *hookProcess) wait(timeout time.Duration) error {
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	for {
		fds := []unix.PollFd{
			{Fd: int32(p.init.Pidfd), Events: unix.POLLIN},
			{Fd: int32(p.result), Events: unix.POLLIN},
			{Fd: int32(p.input), Events: unix.POLLOUT},
			{Fd: int32(p.container), Events: unix.POLLIN},
			{Fd: int32(p.interrupt.FD().Int()), Events: unix.POLLIN},
		}
		n, err := linux.PollUntil(fds, deadline)
		switch {
		case err != nil:
			return err
		case n == 0, timeout > 0 && !time.Now().Before(deadline) && fds[0].Revents == 0:
			// Checked each time, also for a hook that writes without a pause.
			p.kill()
			return fault.HookTimeout.Errorf("was killed after its timeout of %d s", int(timeout.Seconds()))
		}
		if fds[2].Revents != 0 {
			p.feed()
		}
		if fds[1].Revents != 0 {
			p.listen()
		}
		// A child of the hook may keep the pipes open; do not wait for it.
		if fds[0].Revents != 0 {
			p.listen()
			return p.ended()
		}
		if fds[3].Revents != 0 {
			p.kill()
			return errors.New("was killed because the init process of the container has ended")
		}
		if fds[4].Revents != 0 {
			p.kill()
			return fmt.Errorf("was killed: %w", p.interrupt.Err())
		}
	}
}

// feed writes the state. A hook need not read it.
func (p *hookProcess) feed() {
	n, err := unix.Write(p.input, p.stdin)
	if n > 0 {
		p.stdin = p.stdin[n:]
	}
	if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) || len(p.stdin) == 0 {
		unix.Close(p.input)
		p.input = -1
	}
}

// listen reads the available output.
func (p *hookProcess) listen() {
	buf := make([]byte, maxHookOutput)
	// At most the size of a pipe: the hook may write as fast as this process reads.
	for reads := 0; reads < maxPipe/maxHookOutput && p.result >= 0; reads++ {
		n, err := unix.Read(p.result, buf)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return
		case n <= 0 || err != nil:
			unix.Close(p.result)
			p.result = -1
		default:
			p.output = append(p.output, buf[:n]...)
			p.output = p.output[max(0, len(p.output)-maxHookOutput):]
		}
	}
}

// ended reaps the hook.
func (p *hookProcess) ended() error {
	status, err := p.init.Wait()
	p.init.Close()
	p.init = nil
	switch {
	case err != nil:
		return err
	case status.Signaled():
		return fmt.Errorf("was ended by signal %d (%s)", status.Signal(), unix.SignalName(status.Signal()))
	case status.ExitStatus() != 0:
		return fmt.Errorf("exit status %d", status.ExitStatus())
	}
	return nil
}

// kill kills the process group that the hook leads.
func (p *hookProcess) kill() {
	_ = unix.Kill(-p.init.Pid, unix.SIGKILL)
	p.init.Kill()
	p.listen()
}

func (p *hookProcess) close() {
	for _, fd := range []int{p.input, p.result} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	if p.init != nil {
		p.init.Kill()
		p.init.Close()
	}
}

// tail returns the end of the hook's output for an error.
func (p *hookProcess) tail() string {
	text := strings.TrimSpace(string(bytes.ToValidUTF8(p.output, []byte("?"))))
	if text == "" {
		return ""
	}
	// One line, because each error is one line of the log. And no control characters of
	// terminals.
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return ": " + strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.Join(lines, " | "))
}
