package foreground

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"coracle/internal/foreground/console"
	"coracle/internal/foreground/signals"
)

// streams are the standard streams of a process without a terminal of its own. It gets those of
// the caller, but for terminals: between it and them are pipes.
//
// Attacker: a process of the container. With the caller's terminal it could read what is typed
// there after this command has ended, and change its modes.
type streams struct {
	files  [3]*os.File // what the process gets; nil for what the caller has
	copies []*copying
	input  int    // the pipe to the process; -1 when its standard input is no terminal
	stop   [2]int // closed when the process has ended
	done   [2]int // closed when everything has been copied
	lent   [3]lentFile
}

// copying copies what the process writes into a pipe to a terminal.
type copying struct{ from, to int }

// lentFile is a file of the caller that belongs to the process's user while that runs, so that
// /dev/stdout can be opened.
type lentFile struct {
	before, given uint32
	lent          bool
}

// openStreams makes the pipes.
func openStreams() (*streams, error) {
	s := &streams{input: -1, stop: [2]int{-1, -1}, done: [2]int{-1, -1}}
	for fd := range s.lent {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil {
			s.lent[fd].before = st.Uid
		}
	}
	for fd := range s.files {
		if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
			continue
		}
		if fd == 2 && s.files[1] != nil && sameFile(1, 2) {
			s.files[2] = s.files[1] // what comes first is shown first
			continue
		}
		if err := s.pipe(fd); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *streams) pipe(fd int) error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe", err)
	}
	theirs, ours := p[1], p[0]
	if fd == 0 {
		theirs, ours = p[0], p[1]
		s.input = ours
	} else {
		s.copies = append(s.copies, &copying{from: ours, to: fd})
	}
	s.files[fd] = os.NewFile(uintptr(theirs), "pipe")
	return os.NewSyscallError("fcntl", unix.SetNonblock(ours, true))
}

func sameFile(a, b int) bool {
	var x, y unix.Stat_t
	return unix.Fstat(a, &x) == nil && unix.Fstat(b, &y) == nil && x.Dev == y.Dev && x.Ino == y.Ino
}

// closeTheirs closes the ends of the process, so that the end of a stream can be seen.
func (s *streams) closeTheirs() {
	for _, f := range s.files {
		if f != nil {
			f.Close() // a file that is there twice is closed already
		}
	}
}

// close lets go of everything that has not been started.
func (s *streams) close() {
	s.closeTheirs()
	for _, c := range s.copies {
		unix.Close(c.from)
	}
	if s.input >= 0 {
		unix.Close(s.input)
	}
	s.copies, s.input = nil, -1
}

// start copies until [streams.finish]. Without a terminal there is nothing to copy.
func (s *streams) start() error {
	s.closeTheirs()
	if s.input < 0 && len(s.copies) == 0 {
		return nil
	}
	for _, p := range [][]int{s.stop[:], s.done[:]} {
		if err := unix.Pipe2(p, unix.O_CLOEXEC); err != nil {
			return os.NewSyscallError("pipe", err)
		}
	}
	// These signals stop a background process that reads from its terminal or changes it. When
	// they are ignored, the process gets EIO instead and can wait.
	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU)
	if s.input >= 0 {
		go s.copyInput(s.input)
	}
	var running sync.WaitGroup
	for _, c := range s.copies {
		running.Go(func() { c.run(s.stop[0]) })
	}
	go func() {
		running.Wait()
		unix.Close(s.done[1])
	}()
	return nil
}

// finish copies what the process, which has ended, has written. Other processes may have the pipes
// still open, and may write on, which nobody waits for. A terminal that is stopped (Ctrl-S) is
// waited for until a signal comes.
func (s *streams) finish(caught *signals.Pipe) {
	if s.stop[1] < 0 {
		return
	}
	unix.Close(s.stop[1])
	fds := []unix.PollFd{{Fd: int32(s.done[0]), Events: unix.POLLIN}, {Fd: int32(caught.FD), Events: unix.POLLIN}}
	for poll(fds) == nil && fds[0].Revents == 0 {
		for signal, ok := caught.Next(); ok; signal, ok = caught.Next() {
			if signal != unix.SIGCHLD {
				return
			}
		}
	}
}

// run copies to a terminal.
func (c *copying) run(stop int) {
	defer unix.Close(c.from)
	buf := make([]byte, 32<<10)
	gone := false
	left := -1 // bytes to copy; -1 for all that come
	for left != 0 {
		fds := []unix.PollFd{{Fd: int32(c.from), Events: unix.POLLIN}, {Fd: int32(stop)}}
		if left < 0 {
			if poll(fds) != nil {
				return
			}
			if fds[1].Revents != 0 {
				left, _ = unix.IoctlGetInt(c.from, unix.TIOCINQ)
				continue
			}
		}
		room := buf
		if left > 0 {
			room = buf[:min(left, len(buf))]
		}
		n, err := unix.Read(c.from, room)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN) && left < 0:
			continue
		case err != nil || n <= 0:
			return
		}
		if left > 0 {
			left -= n
		}
		// When the terminal is gone, go on reading, so that the process does not block.
		gone = gone || writeAll(c.to, buf[:n]) != nil
	}
}

// writeAll writes to a descriptor, which another process may have made non-blocking.
func writeAll(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		switch {
		case errors.Is(err, unix.EAGAIN):
			if err := poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}); err != nil {
				return err
			}
		case err != nil && !errors.Is(err, unix.EINTR):
			return err
		}
		p = p[max(n, 0):]
	}
	return nil
}

// backgroundPause is the interval at which a background process checks whether it is in the
// foreground, in milliseconds.
const backgroundPause = int(200 * time.Millisecond / time.Millisecond)

// copyInput copies what is typed. It reads nothing while this process is in the background, nor
// what the process cannot take yet: that is for whoever reads the terminal afterwards.
func (s *streams) copyInput(to int) {
	defer unix.Close(to)
	buf := make([]byte, 4096) // PIPE_BUF: a pipe that is writable takes all of it
	for {
		if !console.InForeground() {
			if ended(to, s.stop[0], 0, -1, backgroundPause) {
				return
			}
			continue
		}
		if ended(to, s.stop[0], unix.POLLOUT, -1, -1) || ended(to, s.stop[0], 0, 0, -1) {
			return
		}
		if !console.InForeground() {
			continue
		}
		n, err := unix.Read(0, buf)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EIO) && !console.InForeground():
			continue
		case err != nil || n <= 0:
			return // Ctrl-D, or the terminal has gone
		}
		if writeAll(to, buf[:n]) != nil {
			return
		}
	}
}

// ended waits for an event of a pipe, for input of a descriptor, or for some milliseconds. It
// reports whether nobody reads the pipe any more, or the process has ended.
func ended(pipe, stop int, events int16, input, milliseconds int) bool {
	fds := []unix.PollFd{{Fd: int32(pipe), Events: events}, {Fd: int32(stop)}, {Fd: int32(input), Events: unix.POLLIN}}
	_, err := pollFor(fds, milliseconds)
	return err != nil || fds[0].Revents&unix.POLLERR != 0 || fds[1].Revents != 0
}

// noteLent notes which files belong to the user of the process, now that it runs.
func (s *streams) noteLent() {
	for fd := range s.lent {
		l := &s.lent[fd]
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Uid != l.before && (st.Mode&unix.S_IFMT == unix.S_IFREG || isNamedPipe(fd, &st)) {
			l.given, l.lent = st.Uid, true
		}
	}
}

// isNamedPipe reports whether a descriptor is a pipe with a name in a file system.
func isNamedPipe(fd int, st *unix.Stat_t) bool {
	var fs unix.Statfs_t
	return st.Mode&unix.S_IFMT == unix.S_IFIFO && unix.Fstatfs(fd, &fs) == nil && fs.Type != unix.PIPEFS_MAGIC
}

// giveBack gives files back to their owners, unless somebody else has changed the owner since.
func (s *streams) giveBack() {
	for fd := range s.lent {
		l := &s.lent[fd]
		var st unix.Stat_t
		if l.lent && unix.Fstat(fd, &st) == nil && st.Uid == l.given {
			_ = unix.Fchown(fd, int(l.before), -1)
		}
		l.lent = false
	}
}
