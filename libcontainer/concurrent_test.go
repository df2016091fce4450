package libcontainer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer"
)

// TestConcurrentContainers runs the lives of several containers at the same time, in one process.
// They leave no state, cgroup, process or descriptor, and do not change what belongs to the whole
// process.
func TestConcurrentContainers(t *testing.T) {
	bundle := bundleWith(t, nil, "sleep", "1000")
	// The first container creates what exists once in a process, such as the event loop of
	// package os.
	lives(t, bundle, 1)
	before := processNow(t)
	for _, count := range []int{2, 8} {
		t.Run(fmt.Sprint(count), func(t *testing.T) { lives(t, bundle, count) })
	}
	if after := processNow(t); after != before {
		t.Errorf("the process has changed: it was %s, and is %s", before, after)
	}
}

// lives runs the lives of several containers from one bundle.
func lives(t *testing.T, bundle string, count int) {
	t.Helper()
	rt := &libcontainer.Runtime{Root: filepath.Join(bundle, "state"), Warn: func(message string) { t.Error(message) }}
	var all sync.WaitGroup
	for n := range count {
		all.Add(1)
		go func() {
			defer all.Done()
			id := fmt.Sprintf("%s-%d", filepath.Base(bundle), n)
			if err := life(rt, id, bundle, n); err != nil {
				t.Errorf("%s: %v", id, err)
			}
			for _, pattern := range []string{"/sys/fs/cgroup/*", "/sys/fs/cgroup/*/*"} {
				if dirs, _ := filepath.Glob(pattern + id); len(dirs) > 0 {
					t.Errorf("cgroups are left: %v", dirs)
				}
			}
		}()
	}
	all.Wait()
	nothingLeft(t, rt)
}

// life runs the life of a container.
func life(rt *libcontainer.Runtime, id, bundle string, n int) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var c *libcontainer.Container
	if n%2 == 0 {
		c, err = rt.Create(ctx, id, libcontainer.CreateOptions{Bundle: bundle})
	} else {
		c, err = rt.Run(ctx, id, libcontainer.CreateOptions{Bundle: bundle})
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, rt.ForceDelete(context.Background(), id))
		}
	}()
	is := func(want specs.ContainerState) error {
		s, err := c.State()
		if err == nil && s.Status != want {
			err = fmt.Errorf("it is %s, and not %s", s.Status, want)
		}
		return err
	}
	steps := []func() error{
		func() error { return c.Pause(ctx) },
		func() error { return is(libcontainer.StatusPaused) },
		func() error { return c.Resume(ctx) },
		func() error { return is(specs.StateRunning) },
		func() error { return runs(ctx, c, n) },
		func() error {
			limit := int64(64 << 20)
			return c.Update(ctx, libcontainer.UpdateOptions{Resources: specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}}})
		},
		func() error { _, err := c.Stats(); return err },
		func() error { _, err := rt.List(); return err },
		func() error { return c.Signal(ctx, unix.SIGKILL) },
		func() error { return status(c.Pid(), 128+9) },
		func() error { return is(specs.StateStopped) },
		func() error { return c.Delete(ctx) },
	}
	if n%2 == 0 {
		steps = append([]func() error{func() error { return is(specs.StateCreated) }, func() error { return c.Start(ctx) }}, steps...)
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

// runs runs an additional process in a container, which writes to a pipe.
func runs(ctx context.Context, c *libcontainer.Container, n int) error {
	p, err := c.ProcessTemplate()
	if err != nil {
		return err
	}
	p.Args = []string{"sh", "-c", fmt.Sprintf("echo I am %d; exit %d", n, n+1)}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	pid, err := c.Exec(ctx, libcontainer.ExecOptions{Process: p, Stdout: w})
	w.Close()
	if err != nil {
		return err
	}
	if err := status(pid, n+1); err != nil {
		return err
	}
	buf := make([]byte, 64)
	got, err := r.Read(buf)
	if want := fmt.Sprintf("I am %d\n", n); err == nil && string(buf[:got]) != want {
		err = fmt.Errorf("it says %q, and not %q", buf[:got], want)
	}
	return err
}

// status waits for a child, which has to exit with a status.
func status(pid, want int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	s, err := p.Wait()
	if err != nil {
		return err
	}
	got := s.ExitCode()
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		got = 128 + int(ws.Signal())
	}
	if got != want {
		return fmt.Errorf("process %d has ended with status %d, and not %d", pid, got, want)
	}
	return nil
}

// processNow describes the state of this process that a library must not change.
func processNow(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		link, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && !strings.HasSuffix(link, "/fd") {
			fmt.Fprintf(&b, "%s ", link)
		}
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if children, err := os.ReadFile("/proc/self/task/" + task.Name() + "/children"); err == nil && len(children) > 0 {
			fmt.Fprintf(&b, "children %s", children)
		}
	}
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		for _, name := range []string{"Umask:", "SigIgn:", "SigCgt:", "Cap", "NoNewPrivs:", "Groups:"} {
			if strings.HasPrefix(line, name) {
				b.WriteString(strings.TrimSpace(line) + " ")
			}
		}
	}
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	subreaper := 0
	if err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&subreaper)), 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "in %s, subreaper %d, %s", cwd, subreaper, strings.Join(os.Environ(), " "))
	return b.String()
}
