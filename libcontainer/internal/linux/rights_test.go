package linux

import (
	"bytes"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSendFD: a stream takes a message in parts, and the descriptor only once.
func TestSendFD(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	want := bytes.Repeat([]byte("0123456789"), 100_000)
	sent := make(chan error, 1)
	go func() {
		err := SendFD(pair[0], want, pair[0])
		unix.Close(pair[0])
		sent <- err
	}()
	var got []byte
	var fds []FD
	buf := make([]byte, 1<<16)
	for len(got) < len(want) {
		n, fd, err := ReceiveFD(pair[1], buf, 0)
		if err != nil || n == 0 {
			t.Fatalf("after %d bytes: %d, %v", len(got), n, err)
		}
		got = append(got, buf[:n]...)
		if fd.Exists() {
			fds = append(fds, fd)
		}
	}
	if err := <-sent; err != nil || !bytes.Equal(got, want) || len(fds) != 1 {
		t.Errorf("%v; %d bytes, %d descriptors", err, len(got), len(fds))
	}
	for _, fd := range fds {
		fd.Close()
	}
}

func TestReceiveFDTakesOneDescriptor(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	if err := unix.Sendmsg(pair[0], []byte("x"), unix.UnixRights(0, 1), nil, 0); err != nil {
		t.Fatal(err)
	}
	if n, fd, err := ReceiveFD(pair[1], make([]byte, 1), 0); !errors.Is(err, ErrRights) || n != 0 || fd.Exists() {
		t.Errorf("two: %d, %d, %v", n, fd.Int(), err)
	}
	if err := Send(pair[0], []byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, fd, err := ReceiveFD(pair[1], make([]byte, 1), 0); err != nil || n != 1 || fd.Exists() {
		t.Errorf("none: %d, %d, %v", n, fd.Int(), err)
	}
}
