//go:build amd64 || arm64

// Package signals turns signals into bytes in a pipe, where poll(2) finds them.
//
// With os/signal, a signal passes through several goroutines and threads, and catching all
// signals takes half as long as creating a container. Here the kernel calls a handler of a few
// instructions that writes the number of the signal to the pipe. The handler does not use the Go
// runtime. So a command can catch all signals from its start, and none is lost.
//
// Do not use this package for signals of faults, nor for signals that the Go runtime needs. Only
// one pipe can be open in a process at a time.
package signals

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Pipe is the read end of the pipe.
type Pipe struct {
	// FD is readable when a signal has arrived.
	FD int
	// caught has bit n-1 for signal n, and saved the action that it had.
	caught uint64
	saved  [64]sigaction
}

// Ending are the signals by which users and engines end a command.
var Ending = []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT}

// sigaction is the kernel's struct sigaction.
type sigaction struct {
	handler, flags, restorer, mask uint64
}

// Flags of sigaction(2) that package unix does not have.
const (
	saOnStack  = 0x08000000
	saRestart  = 0x10000000
	saRestorer = 0x04000000 // amd64 only; others ignore it
	sigIgnore  = 1
)

// pipeFD is the descriptor that the handler writes to.
var pipeFD int32 = -1

// handlerPC and restorerPC return the addresses of the handler and of the code to which it
// returns, see handler_amd64.s and handler_arm64.s.
func handlerPC() uint64
func restorerPC() uint64

// Open starts catching the given signals.
func Open(signals ...unix.Signal) (*Pipe, error) {
	if pipeFD >= 0 {
		return nil, errors.New("signals are being caught already")
	}
	var fds [2]int
	// Non-blocking: a handler must not wait. When the pipe is full, 65,536 signals are pending,
	// and one more does not matter.
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe", err)
	}
	pipeFD = int32(fds[1])
	p := &Pipe{FD: fds[0]}
	if err := p.Catch(signals...); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Catch catches more signals. A signal that this process ignores, for instance because nohup(1)
// started it, stays ignored.
func (p *Pipe) Catch(signals ...unix.Signal) error {
	action := sigaction{handler: handlerPC(), flags: saOnStack | saRestart | saRestorer, restorer: restorerPC()}
	for _, s := range signals {
		bit := uint64(1) << (s - 1)
		if p.caught&bit != 0 {
			continue
		}
		var old sigaction
		if err := set(s, &action, &old); err != nil {
			return err
		}
		if old.handler == sigIgnore {
			if err := set(s, &old, nil); err != nil {
				return err
			}
			continue
		}
		p.caught |= bit
		p.saved[s-1] = old
	}
	return nil
}

func set(s unix.Signal, action, old *sigaction) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(action)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("sigaction", errno)
	}
	return nil
}

// Next takes a signal from the pipe; ok is false when there is none.
func (p *Pipe) Next() (s unix.Signal, ok bool) {
	var b [1]byte
	for {
		n, err := unix.Read(p.FD, b[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return unix.Signal(b[0]), n == 1
	}
}

// Close restores the former actions of the signals.
func (p *Pipe) Close() {
	for i := range p.saved {
		if p.caught&(1<<i) != 0 {
			_ = set(unix.Signal(i+1), &p.saved[i], nil)
		}
	}
	p.caught = 0
	unix.Close(p.FD)
	unix.Close(int(pipeFD))
	pipeFD = -1
}
