package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/oci/jsonpos"
	"coracle/libcontainer/internal/state"
)

// agentTimeout is how long an agent may take to accept a listener.
const agentTimeout = 30 * time.Second

// listenerOf says where the listener of a program goes; nil when it has none.
func listenerOf(spec *specs.Spec, out *compile.Output) *state.Listener {
	if !out.Listener {
		return nil
	}
	return &state.Listener{Path: spec.Linux.Seccomp.ListenerPath, Metadata: spec.Linux.Seccomp.ListenerMetadata}
}

// handOver sends the seccomp listener of a process to the agent at linux.seccomp.listenerPath,
// with the state of the process (config-linux.md#containerprocessstate). pid is that of the
// process and status that of the container.
func handOver(l *state.Listener, record *state.Record, pid int, status specs.ContainerState, listener int) error {
	message := jsonpos.Marshal(&specs.ContainerProcessState{
		Version: specs.Version, Fds: []string{specs.SeccompFdName}, Pid: pid, Metadata: l.Metadata,
		State: specs.State{
			Version: specs.Version, ID: record.ID, Status: status, Pid: record.Pid, Bundle: record.Bundle, Annotations: record.Annotations,
		},
	}, "")
	if err := sendToAgent(l.Path, message, listener); err != nil {
		return fmt.Errorf("hand the seccomp listener over to %q (linux.seccomp.listenerPath): %w", l.Path, err)
	}
	return nil
}

// sendToAgent sends a message with a descriptor on a connection of its own.
func sendToAgent(path string, message []byte, fd int) error {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(socket)
	timeout := unix.NsecToTimeval(agentTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Connect(socket, &unix.SockaddrUnix{Name: path}); err != nil {
		return os.NewSyscallError("connect", err)
	}
	rights := unix.UnixRights(fd)
	for len(message) > 0 {
		n, err := unix.SendmsgN(socket, message, rights, nil, unix.MSG_NOSIGNAL)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return os.NewSyscallError("sendmsg", err)
		}
		message, rights = message[n:], nil
	}
	return nil
}

// executed tells whether a program whose conversation has ended became the command. It
// is for programs that cannot say why they did not.
func executed(pid, pidfd int) error {
	//allow:path the host's /proc; what the link says is only compared
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil {
		//allow:prefix the name of a memfd is no path
		if !strings.HasPrefix(exe, "/memfd:coracle-init") {
			return nil
		}
		// It is about to end.
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(fds, 1000); !errors.Is(err, unix.EINTR) {
				break
			}
		}
	}
	// execve changes the name too, and one that has ended keeps its name until it is reaped.
	// After that nothing tells one that failed from a command that was quick.
	//allow:path the host's /proc
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err == nil && strings.TrimSpace(string(name)) == compile.ProcessName {
		return errors.New("the command could not be executed, and the seccomp filter (linux.seccomp) lets the process not say why")
	}
	return nil
}

// unknownCalls tells about system calls of a profile that are skipped, for a trace.
func unknownCalls(out *compile.Output) string {
	if len(out.UnknownCalls) == 0 {
		return ""
	}
	return fmt.Sprintf(" (linux.seccomp: skipped unknown system calls: %s)", strings.Join(out.UnknownCalls, ", "))
}
