package signals

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// next waits for a signal.
func next(t *testing.T, p *Pipe) unix.Signal {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(p.FD), Events: unix.POLLIN}}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		_, _ = unix.Poll(fds, 100)
		if s, ok := p.Next(); ok {
			return s
		}
	}
	t.Fatal("no signal came")
	return 0
}

func TestSignalsComeThroughThePipe(t *testing.T) {
	p, err := Open(unix.SIGUSR1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if s, ok := p.Next(); ok {
		t.Fatalf("there is signal %d", s)
	}
	rt := unix.Signal(40)
	if err := p.Catch(unix.SIGUSR2, rt, unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	for _, want := range []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, rt, unix.SIGUSR1} {
		if err := unix.Kill(os.Getpid(), want); err != nil {
			t.Fatal(err)
		}
		if got := next(t, p); got != want {
			t.Errorf("got signal %d, want %d", got, want)
		}
	}
}

// TestUnderLoad: the handler runs on threads that are busy with Go code, garbage collection and
// system calls, and does not disturb it.
func TestUnderLoad(t *testing.T) {
	p, err := Open(unix.SIGUSR1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for keep := [][]byte{}; ; {
				select {
				case <-stop:
					return
				default:
				}
				if keep = append(keep, make([]byte, 1000)); len(keep) > 100 {
					keep = nil
					runtime.Gosched()
				}
				_ = unix.Getppid()
			}
		}()
	}
	const count = 2000
	for range count {
		if err := unix.Kill(os.Getpid(), unix.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		if s := next(t, p); s != unix.SIGUSR1 {
			t.Fatalf("signal %d", s)
		}
	}
	close(stop)
	wg.Wait()
}

func TestIgnoredSignalsStayIgnored(t *testing.T) {
	// A signal that no other test uses: signal.Reset would leave it ignored.
	ignored := unix.Signal(41)
	signal.Ignore(ignored)
	p, err := Open(unix.SIGUSR1, ignored)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, s := range []unix.Signal{ignored, unix.SIGUSR1} {
		if err := unix.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	if s := next(t, p); s != unix.SIGUSR1 {
		t.Errorf("signal %d", s)
	}
}

func TestCloseRestores(t *testing.T) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGUSR1)
	defer signal.Stop(c)
	p, err := Open(unix.SIGUSR1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(); err == nil {
		t.Error("a second pipe can be opened")
	}
	p.Close()
	if err := unix.Kill(os.Getpid(), unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Error("the signal does not come to os/signal any more")
	}
	if p, err = Open(); err != nil {
		t.Fatal(err)
	}
	p.Close()
}

// TestChildrenHaveDefaults: a child has default actions after execve.
func TestChildrenHaveDefaults(t *testing.T) {
	p, err := Open(unix.SIGUSR1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	cmd := exec.Command("sh", "-c", "kill -USR1 $$; echo survived")
	if out, err := cmd.Output(); err == nil {
		t.Errorf("the child did not die: %s", out)
	}
}
