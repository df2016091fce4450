package launch

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/linux"
)

// announcing launches a program that announces its execve and continues with the ops of end, and
// waits until it has ended.
func announcing(t *testing.T, end func(b *program.Builder)) *Init {
	t.Helper()
	i := announced(t, end)
	if _, err := linux.Poll([]unix.PollFd{{Fd: int32(i.Pidfd), Events: unix.POLLIN}}, linux.Forever); err != nil {
		t.Fatal(err)
	}
	return i
}

// announced launches a program that announces its execve and continues with the ops of end.
func announced(t *testing.T, end func(b *program.Builder)) *Init {
	t.Helper()
	const socket, image = 3, 4
	b := program.NewBuilder(socket)
	b.Prctl(unix.PR_SET_NAME, b.String(protocol.ProcessName))
	b.Close(program.FD(image))
	b.CloseOnExec(program.FD(socket))
	b.Send(program.FD(socket), protocol.Message{Kind: protocol.KindDone, A: 1})
	end(b)
	p, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	i, err := Start(Command{Program: p, Files: []int{0, 1, 2, -1, -1}, Socket: socket, Image: image})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Kill(); i.Close() })
	if e, err := i.Receive(); err != nil || e.Kind != protocol.KindDone {
		t.Fatalf("%+v, %v in place of the announcement", e, err)
	}
	return i
}

// execve adds the execve of a command.
func execve(args ...string) func(*program.Builder) {
	return func(b *program.Builder) {
		var argv []uint64
		for _, a := range args {
			argv = append(argv, uint64(b.StringAddr(a)))
		}
		path := b.Word("path", int32(b.StringAddr(args[0])))
		b.Execve(path, b.Pointers(append(argv, 0)), b.Pointers([]uint64{0}))
	}
}

// kill sends a signal to the program itself.
func kill(sig unix.Signal) func(*program.Builder) {
	return func(b *program.Builder) {
		pid := b.Word("pid", 0)
		b.Syscall(unix.SYS_GETPID).Into(pid)
		b.Syscall(unix.SYS_KILL, pid.Arg(), program.Int(sig))
	}
}

// TestExecuted: if the process has ended, what counts is whether it executed its command.
func TestExecuted(t *testing.T) {
	for name, end := range map[string]func(*program.Builder){
		"exits":  execve("/bin/sh", "-c", "exit 0"),
		"fails":  execve("/bin/sh", "-c", "exit 1"),
		"killed": execve("/bin/sh", "-c", "kill -KILL $$"),
	} {
		if err := announcing(t, end).Executed(); err != nil {
			t.Errorf("a command that %s: %v", name, err)
		}
	}
}

// TestExecutedUnderTheSameName: a command that gives itself the name of a program counts as
// executed, and its end is not waited for.
func TestExecutedUnderTheSameName(t *testing.T) {
	i := announced(t, execve("/bin/sh", "-c", "printf %s "+protocol.ProcessName+" >/proc/$$/comm; kill -STOP $$"))
	for stopped := false; !stopped; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", i.Pid))
		if err != nil {
			t.Fatal(err)
		}
		stopped = strings.Contains(string(stat), "("+protocol.ProcessName+") T ")
	}
	result := make(chan error, 1)
	go func() { result <- i.Executed() }()
	select {
	case err := <-result:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(longestEnd / 2):
		t.Error("waits for the end of the command")
		_ = unix.PidfdSendSignal(i.Pidfd, unix.SIGKILL, nil, 0)
		<-result
	}
}

// TestNotExecuted: a program that was killed between its announcement and the execve, one that
// ends, and one whose execve fails.
func TestNotExecuted(t *testing.T) {
	var death *DeathError
	if err := announcing(t, kill(unix.SIGKILL)).Executed(); !errors.As(err, &death) || !death.Killed() {
		t.Errorf("killed: %v", err)
	}
	if err := announcing(t, func(b *program.Builder) { b.Exit(1) }).Executed(); !errors.As(err, &death) || death.Killed() {
		t.Errorf("ended: %v", err)
	}
	var failure *program.Failure
	if err := announcing(t, execve("/no/such")).Executed(); !errors.As(err, &failure) || !errors.Is(err, unix.ENOENT) {
		t.Errorf("failed: %v", err)
	}
}
