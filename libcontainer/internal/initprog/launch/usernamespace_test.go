package launch

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
)

func TestUserNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	before := children(t)
	fd, err := UserNamespace("0 1000 10\n20 5000 1\n", "0 2000 5\n")
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if typ, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE); err != nil || typ != unix.CLONE_NEWUSER {
		t.Errorf("a namespace of type %#x, %v", typ, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %v", flags, err)
	}
	if after := children(t); after != before {
		t.Errorf("children were %q and are %q", before, after)
	}
	for _, bad := range [][2]string{{"0 0 0\n", "0 0 1\n"}, {"0 0 1\n", "x\n"}} {
		if fd, err := UserNamespace(bad[0], bad[1]); !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "id_map") {
			t.Errorf("%q: %d, %v", bad, fd, err)
		}
	}
	if after := children(t); after != before {
		t.Errorf("after errors children were %q and are %q", before, after)
	}
}

// children returns the child processes of this process.
func children(t *testing.T) string {
	t.Helper()
	all := ""
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		data, err := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Skip(err)
		}
		all += string(data)
	}
	return all
}

// TestOpaque: a process without privileges outside of the user namespace cannot inspect an opaque
// program, not even in its first moment.
func TestOpaque(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, opaque := range []bool{true, false} {
		b := program.NewBuilder(3)
		dumpable := b.Word("dumpable", -1)
		b.Prctl(unix.PR_GET_DUMPABLE).Into(dumpable)
		yes := b.Label()
		b.JumpIf(dumpable, ^uint32(0), 1, yes)
		b.Send(program.FD(3), protocol.Message{Kind: protocol.KindDone, A: 1})
		b.Exit(0)
		b.Bind(yes)
		b.Send(program.FD(3), protocol.Message{Kind: protocol.KindDone, A: 2})
		b.Exit(0)
		p, err := b.Finish()
		if err != nil {
			t.Fatal(err)
		}
		i, err := Start(Command{Program: p, CloneFlags: unix.CLONE_NEWUSER, Files: []int{-1, -1, -1, -1, -1}, Socket: 3, Image: 4, Opaque: opaque})
		if err != nil {
			t.Fatal(err)
		}
		e, err := i.Receive()
		if err != nil || (e.A == 1) != opaque {
			t.Errorf("opaque %v: %s, %v", opaque, fmt.Sprint(e.Message), err)
		}
		i.Kill()
		i.Close()
	}
}
