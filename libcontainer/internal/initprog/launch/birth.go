package launch

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/failpoint"
	"coracle/libcontainer/internal/linux"
)

// birthInterval is how often a birth is looked at that takes a while.
const birthInterval = 100 * time.Millisecond

// watchBirth gives up a process that does not execute the program, for as long as it takes until
// born is called. Then born says why, or nil when it was not given up.
//
// Attacker: a process of the container that freezes the cgroup in which the new one is born. The
// caller would wait for the execve in the kernel, where neither a deadline nor a signal that is
// caught ends that.
func watchBirth(c Command) (born func() error) {
	if !c.CgroupFD.Exists() {
		return func() error { return nil }
	}
	w := &birthWatch{command: c, deadline: time.Now().Add(failpoint.Patience(DefaultPatience))}
	w.mu.Lock()
	w.timer = time.AfterFunc(birthInterval, w.look)
	w.mu.Unlock()
	return w.end
}

type birthWatch struct {
	command  Command
	deadline time.Time

	mu    sync.Mutex
	timer *time.Timer // nil when it is over
	err   error
}

// end ends the watch.
func (w *birthWatch) end() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	w.timer = nil
	return w.err
}

// look is called again and again.
func (w *birthWatch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer == nil {
		return
	}
	if w.err == nil {
		w.err = w.command.Interrupt.Pending()
	}
	if w.err == nil && time.Now().After(w.deadline) {
		w.err = fmt.Errorf("start the init process: %w; its cgroup may be frozen", ErrSilent)
	}
	if w.err != nil {
		killChildren(w.command.CgroupFD)
	}
	w.timer.Reset(birthInterval)
}

// killChildren kills the children of this process in a cgroup of the unified hierarchy, where
// SIGKILL ends frozen processes as well. Only the new one still has the program of this process.
func killChildren(cgroup linux.FD) {
	data, err := linux.Read(cgroup.Int(), "cgroup.procs", 64<<20)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(data)) {
		n, err := strconv.ParseUint(strings.TrimSuffix(line, "\n"), 10, 31)
		if err != nil {
			continue
		}
		stat, err := linux.PID(int(n)).Stat()
		if err != nil {
			continue
		}
		if parent, err := stat.Number(4); err == nil && int(parent) == os.Getpid() && runsThis(linux.PID(int(n))) {
			_ = unix.Kill(int(n), unix.SIGKILL)
		}
	}
}

// runsThis reports whether a process has the executable of this one.
func runsThis(p linux.Process) bool {
	var own, other unix.Stat_t
	//allow:path the host's /proc, and links of the kernel
	if unix.Stat(linux.Self.Path("exe"), &own) != nil || unix.Stat(p.Path("exe"), &other) != nil {
		return false
	}
	return own.Dev == other.Dev && own.Ino == other.Ino
}
