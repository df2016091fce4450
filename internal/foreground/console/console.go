// Package console connects the terminal of a container with the caller's terminal.
package console

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"time"

	"github.com/containerd/console"
	"golang.org/x/sys/unix"
)

// Foreground copies between the standard streams of this process and the master
// of a container's terminal.
//
// When standard input is a terminal and this process is in its foreground, Foreground sets it to
// raw mode, so that keys like Ctrl-C reach the container's terminal; Close restores it. In the
// background the terminal is left alone until the process comes to the foreground.
type Foreground struct {
	master console.Console
	file   *os.File
	stdin  console.Console // nil when it is not a terminal

	mu     sync.Mutex
	raw    bool
	closed bool

	signals chan os.Signal
	output  chan struct{} // closed when all output has been copied
}

// Attach starts copying. [Foreground.Close] closes master.
func Attach(master *os.File) (*Foreground, error) {
	m, err := console.ConsoleFromFile(master)
	if err != nil {
		return nil, err
	}
	// The caller's terminal already adds carriage returns to line feeds.
	if err := console.ClearONLCR(master.Fd()); err != nil {
		return nil, err
	}
	f := &Foreground{master: m, file: master, output: make(chan struct{}), signals: make(chan os.Signal, 8)}
	if in, err := console.ConsoleFromFile(os.Stdin); err == nil {
		f.stdin = in
	}
	// These signals stop a background process that reads from its terminal or changes it. When
	// they are ignored, the process gets EIO instead and can wait.
	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU)
	// SIGPIPE is caught so that writing to a closed pipe fails with EPIPE. Otherwise the Go
	// runtime would end this process and leave the container behind.
	signal.Notify(f.signals, unix.SIGWINCH, unix.SIGCONT, unix.SIGPIPE)
	f.enterRaw()
	f.Resize()
	// A command has one P (package early). Here several goroutines are at work, and none shall
	// wait for another one to leave a system call.
	runtime.GOMAXPROCS(runtime.NumCPU())
	go f.watch()
	go f.copyInput()
	go f.copyOutput()
	return f, nil
}

// watch reacts to changes of the terminal's size, and to this process coming to the foreground.
func (f *Foreground) watch() {
	for s := range f.signals {
		if s == unix.SIGCONT {
			f.enterRaw()
		}
		f.Resize()
	}
}

// InForeground reports whether this process is in the foreground of the terminal at its standard input. In
// one that does not control it, it counts as in the foreground.
func InForeground() bool {
	pgrp, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	return err != nil || pgrp == unix.Getpgrp()
}

// enterRaw sets the caller's terminal to raw mode if this process is in the foreground. It
// reports whether there is nothing left to wait for.
func (f *Foreground) enterRaw() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stdin == nil || f.closed || f.raw {
		return true
	}
	if !InForeground() {
		return false
	}
	err := f.stdin.SetRaw()
	f.raw = err == nil
	return !errors.Is(err, unix.EIO) // EIO: the process may be in the background again
}

// Resize sets the size of the container's terminal to that of the caller's.
func (f *Foreground) Resize() {
	for _, fd := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		c, err := console.ConsoleFromFile(fd)
		if err != nil {
			continue
		}
		if size, err := c.Size(); err == nil && (size.Height != 0 || size.Width != 0) {
			_ = f.master.Resize(size)
			return
		}
	}
}

// backgroundPause is the interval at which a background process checks whether it is in the
// foreground.
const backgroundPause = 200 * time.Millisecond

// copyInput copies standard input to the container's terminal. At the end of a standard input
// that is not a terminal, it sends the end-of-file character.
func (f *Foreground) copyInput() {
	buf := make([]byte, 32<<10)
	// Read nothing in the background, nor before the terminal is raw. Not every way to the
	// foreground sends a signal, so this polls.
	for !f.enterRaw() {
		time.Sleep(backgroundPause)
	}
	failed := false
	for {
		n, err := os.Stdin.Read(buf)
		if n > 0 {
			if _, err := f.file.Write(buf[:n]); err != nil {
				return
			}
		}
		switch {
		case err == nil:
			failed = false
		case errors.Is(err, unix.EIO) && f.stdin != nil && !InForeground():
			// In the background again.
			time.Sleep(backgroundPause)
		case errors.Is(err, unix.EIO) && f.stdin != nil && !failed:
			// The process may have come to the foreground just after the read failed.
			failed = true
		case errors.Is(err, unix.EAGAIN):
			// Another process that shares the open file made it non-blocking.
			waitReadable(0)
		case errors.Is(err, io.EOF):
			if f.stdin == nil {
				const endOfFile = 4 // VEOF of a new terminal
				_, _ = f.file.Write([]byte{endOfFile})
			}
			return
		default:
			return
		}
	}
}

// copyOutput copies output until EIO: the last process has closed the terminal.
func (f *Foreground) copyOutput() {
	defer close(f.output)
	buf := make([]byte, 32<<10)
	for {
		n, err := f.file.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			w, err := os.Stdout.Write(p)
			p = p[w:]
			if errors.Is(err, unix.EAGAIN) {
				waitWritable(1)
			} else if err != nil {
				// The reader is gone. Keep reading, so that the container does not block.
				p = nil
			}
		}
		if err != nil {
			return
		}
	}
}

func waitReadable(fd int) { _, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1) }
func waitWritable(fd int) { _, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1) }

// Drain waits until the container's remaining output has been copied. A process that outlives the
// container with the terminal open, such as one in another container, is waited for only for the
// given time.
func (f *Foreground) Drain(atMost time.Duration) {
	select {
	case <-f.output:
	case <-time.After(atMost):
	}
}

// Close restores the caller's terminal.
func (f *Foreground) Close() {
	signal.Stop(f.signals)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.raw {
		_ = f.stdin.Reset()
		f.raw = false
	}
	f.closed = true
	_ = f.file.Close()
}
