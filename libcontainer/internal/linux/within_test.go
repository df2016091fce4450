package linux

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestWithin(t *testing.T) {
	called := false
	if err := Within(nil, time.Hour, func() { called = true }); err != nil || !called {
		t.Error(err, called)
	}
	hang := make(chan struct{})
	defer close(hang)
	if err := Within(nil, time.Millisecond, func() { <-hang }); !errors.Is(err, ErrLate) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	i, err := NewInterrupt(ctx, FD{})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if err := Within(i, time.Hour, func() { <-hang }); !errors.Is(err, ErrInterrupted) {
		t.Error(err)
	}
}

func TestReadStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return
		}
		defer f.Close()
		_, _ = f.WriteString("abc")
		time.Sleep(10 * time.Millisecond)
		_, _ = f.WriteString("def")
	}()
	if got, err := ReadStream(nil, path, 100); err != nil || string(got) != "abcdef" {
		t.Errorf("%q, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	i, err := NewInterrupt(ctx, FD{})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if _, err := ReadStream(i, path, 100); !errors.Is(err, ErrInterrupted) {
		t.Error("nobody writes:", err)
	}
	if err := os.WriteFile(path+"r", []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int]string{10: "12345", 3: "123"} {
		if got, err := ReadStream(nil, path+"r", limit); err != nil || string(got) != want {
			t.Errorf("%d: %q, %v", limit, got, err)
		}
	}
}

func TestDialEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(listener)
	if err := unix.Bind(listener, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(listener, 0); err != nil {
		t.Fatal(err)
	}
	for {
		fd, err := Dial(path, unix.SOCK_STREAM, 20*time.Millisecond)
		if err == nil {
			defer unix.Close(fd)
			continue
		}
		if !errors.Is(err, unix.EAGAIN) {
			t.Error(err)
		}
		break
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	i, err := NewInterrupt(ctx, FD{})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if _, err := DialUntil(path, unix.SOCK_STREAM, time.Hour, i); !errors.Is(err, ErrInterrupted) {
		t.Error(err)
	}
}
