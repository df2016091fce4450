// Package console connects the terminal of a container with that of a person.
package console

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/containerd/console"
	"golang.org/x/sys/unix"
)

// Foreground copies between the standard streams of this process and the master
// of a container's terminal.
//
// When standard input is a terminal and this process is in its foreground, it is
// put into raw mode, so that keys like Ctrl-C reach the container's terminal, and
// put back by Close. In the background it is left alone until the process comes to
// the foreground.
type Foreground struct {
	master console.Console
	file   *os.File
	stdin  console.Console // nil when it is no terminal

	mu     sync.Mutex
	raw    bool
	closed bool

	signals chan os.Signal
	output  chan struct{} // closed when all output has been copied
}

// Attach starts to copy. master is closed by [Foreground.Close].
func Attach(master *os.File) (*Foreground, error) {
	m, err := console.ConsoleFromFile(master)
	if err != nil {
		return nil, err
	}
	// The person's terminal turns line feeds into new lines; twice is once too many.
	if err := console.ClearONLCR(master.Fd()); err != nil {
		return nil, err
	}
	f := &Foreground{master: m, file: master, output: make(chan struct{}), signals: make(chan os.Signal, 8)}
	if in, err := console.ConsoleFromFile(os.Stdin); err == nil {
		f.stdin = in
	}
	// A background process that reads from its terminal or changes it is stopped
	// by these signals. With them ignored it gets EIO instead, and can wait.
	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU)
	// SIGPIPE is caught so that output that nobody reads any more gives EPIPE. The Go
	// runtime would end this process and leave the container behind.
	signal.Notify(f.signals, unix.SIGWINCH, unix.SIGCONT, unix.SIGPIPE)
	f.enterRaw()
	f.Resize()
	go f.watch()
	go f.copyInput()
	go f.copyOutput()
	return f, nil
}

// watch follows the size of the terminal, and the move to its foreground.
func (f *Foreground) watch() {
	for s := range f.signals {
		if s == unix.SIGCONT {
			f.enterRaw()
		}
		f.Resize()
	}
}

// inForeground reports whether this process may use its terminal.
func inForeground() bool {
	pgrp, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	return err != nil || pgrp == unix.Getpgrp()
}

// enterRaw sets the person's terminal to raw mode, once this process may. It reports whether
// there is nothing left to wait for.
func (f *Foreground) enterRaw() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stdin == nil || f.closed || f.raw {
		return true
	}
	if !inForeground() {
		return false
	}
	err := f.stdin.SetRaw()
	f.raw = err == nil
	return !errors.Is(err, unix.EIO) // as in the background, where it may be again
}

// Resize gives the container's terminal the size of the person's one.
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

// backgroundPause is how long a process in the background waits before it looks again
// whether it is in the foreground.
const backgroundPause = 200 * time.Millisecond

// copyInput passes on what is typed. At the end of a standard input that is no
// terminal, the container's terminal gets its end-of-file character.
func (f *Foreground) copyInput() {
	buf := make([]byte, 32<<10)
	// Nothing is read in the background, nor before what is typed may go through unchanged.
	// Not every way to the foreground sends a signal.
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
		case errors.Is(err, unix.EIO) && f.stdin != nil && !inForeground():
			// In the background again.
			time.Sleep(backgroundPause)
		case errors.Is(err, unix.EIO) && f.stdin != nil && !failed:
			// It may have come to the foreground just after that.
			failed = true
		case errors.Is(err, unix.EAGAIN):
			// Somebody else who has this file open made it non-blocking.
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

// copyOutput ends with EIO, when the last process has closed the terminal.
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
				// Nobody reads any more. The container must not hang on that.
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

// Drain waits until the output that the container left behind has been copied. A
// process that survives it with the terminal open, as one that runs in another
// container may, is not waited for longer than the given time.
func (f *Foreground) Drain(atMost time.Duration) {
	select {
	case <-f.output:
	case <-time.After(atMost):
	}
}

// Close puts the person's terminal back as it was.
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
