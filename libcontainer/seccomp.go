package libcontainer

import (
	"errors"
	"fmt"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/failpoint"
	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/jsonpos"
	"coracle/libcontainer/internal/state"
)

// agentTimeout is how long an agent may take to accept a listener.
const agentTimeout = 30 * time.Second

// listenerOf returns where the listener of a program is sent; nil when it has none.
func listenerOf(spec *specs.Spec, out *compile.Output) *state.Listener {
	if !out.Listener {
		return nil
	}
	return &state.Listener{Path: spec.Linux.Seccomp.ListenerPath, Metadata: spec.Linux.Seccomp.ListenerMetadata}
}

// handOver sends the seccomp listener of a process to the agent at linux.seccomp.listenerPath,
// with the state of the process (config-linux.md#containerprocessstate). pid is the process and
// status the container's status.
func handOver(l *state.Listener, record *state.Record, pid int, status specs.ContainerState, listener int, interrupt *linux.Interrupt) error {
	message := jsonpos.Marshal(&specs.ContainerProcessState{
		Version: specs.Version, Fds: []string{specs.SeccompFdName}, Pid: pid, Metadata: l.Metadata,
		State: specs.State{
			Version: specs.Version, ID: record.ID, Status: status, Pid: record.Pid, Bundle: record.Bundle, Annotations: record.Annotations,
		},
	}, "")
	if err := sendToAgent(l.Path, message, listener, interrupt); err != nil {
		return fault.Facts{Property: "linux.seccomp.listenerPath", HostPath: l.Path}.Errorf("hand the seccomp listener over to %q (linux.seccomp.listenerPath): %w", l.Path, err)
	}
	return nil
}

// sendToAgent sends a message with a descriptor on a connection of its own.
func sendToAgent(path string, message []byte, fd int, interrupt *linux.Interrupt) error {
	conn, err := linux.DialUntil(path, unix.SOCK_STREAM, failpoint.Patience(agentTimeout), interrupt)
	if err != nil {
		return err
	}
	defer unix.Close(conn)
	return linux.SendFD(conn, message, fd)
}

// errMute is a failed execve that the process cannot report.
var errMute = fault.New(fault.CommandNotExecutable, "the command could not be executed; the seccomp filter (linux.seccomp) prevents the init process from reporting why")

// explainMute returns the failure of execve for a program that ended before its execve and could
// not report anything, unless it was killed.
func explainMute(err error) error {
	var death *launch.DeathError
	if errors.As(err, &death) && !death.Killed() {
		return errMute
	}
	return err
}

// unknownCalls lists the system calls of a profile that are skipped, for a trace.
func unknownCalls(out *compile.Output) string {
	if len(out.UnknownCalls) == 0 {
		return ""
	}
	return fmt.Sprintf(" (linux.seccomp: skipped unknown system calls: %s)", strings.Join(out.UnknownCalls, ", "))
}
