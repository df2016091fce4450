package launch

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
)

// TestForkOfAnother: a process that is no child of the runtime is none of the init's.
func TestForkOfAnother(t *testing.T) {
	i := announced(t, func(b *program.Builder) {
		b.Recv(program.FD(3), b.Buffer("end", protocol.MessageSize), protocol.MessageSize)
	})
	pid := i.Pid
	pidfd, err := unix.PidfdOpen(os.Getppid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Fork(pidfd); err == nil || i.Pid != pid {
		t.Errorf("followed into process %d, not a child: %v", i.Pid, err)
	}
	if err := unix.PidfdSendSignal(pidfd, 0, nil, 0); err == nil {
		t.Error("the pidfd stays open")
	}
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Fork(null); err == nil || i.Pid != pid {
		t.Errorf("followed into process %d by no pidfd: %v", i.Pid, err)
	}
}
