package launch

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/linux"
)

// openDescriptors counts the descriptors of this process.
func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// said returns an Init whose program has sent a message with descriptors, and has ended.
func said(t *testing.T, p *program.Program, message []byte, descriptors int) *Init {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	var oob []byte
	if descriptors > 0 {
		fds := make([]int, descriptors)
		for i := range fds {
			fds[i] = null
		}
		oob = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(pair[1], message, oob, nil, 0); err != nil {
		t.Fatal(err)
	}
	return &Init{Pid: -1, Pidfd: -1, conversation: Conversation{Socket: linux.NewFD(pair[0]), Explain: explain(p)}}
}

// FuzzReceive: any message of an init gives an event or an error, and leaves no descriptor open.
func FuzzReceive(f *testing.F) {
	f.Add(protocol.Message{Kind: protocol.KindSync, A: 1}.Encode(), uint8(0))
	f.Add(protocol.Message{Kind: protocol.KindValue, A: 1, B: 77}.Encode(), uint8(1))
	f.Add(protocol.Message{Kind: protocol.KindValue, A: 1, B: 77}.Encode(), uint8(2))
	f.Add(protocol.Message{Kind: protocol.KindFailure, A: 1 << 31, B: 5}.Encode(), uint8(0))
	f.Add([]byte("short"), uint8(1))
	f.Add([]byte{}, uint8(1))
	f.Add(make([]byte, 17), uint8(3))
	f.Add(make([]byte, 17), uint8(0))
	b := program.NewBuilder(3)
	b.Exit(0)
	p, err := b.Finish()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, message []byte, descriptors uint8) {
		if len(message) > 1<<16 {
			return
		}
		before := openDescriptors(t)
		i := said(t, p, message, int(descriptors%8))
		e, err := i.conversation.Receive()
		if err == nil {
			if len(message) != protocol.MessageSize || descriptors%8 > 1 || e.FD.Exists() != (descriptors%8 == 1) {
				t.Errorf("%q with %d descriptors is taken for %+v", message, descriptors%8, e)
			}
			e.FD.Close()
		}
		i.CloseSocket()
		if after := openDescriptors(t); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
}
