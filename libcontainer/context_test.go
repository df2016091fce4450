package libcontainer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer"
)

// prompt is how long a method may take to return after its context has ended. It is far less than
// what the method waits for, and far more than it needs.
const prompt = 10 * time.Second

// bundleWith makes a bundle with busybox, which is removed after the test.
func bundleWith(t *testing.T, change func(*specs.Spec), args ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only the superuser can make these containers")
	}
	dir, err := exampleBundle(args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if change == nil {
		return dir
	}
	path := filepath.Join(dir, libcontainer.ConfigName)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var spec specs.Spec
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	change(&spec)
	if raw, err = json.Marshal(&spec); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sleepingHook returns a hook that creates a file when it runs, and does not end by itself.
func sleepingHook(begun string) []specs.Hook {
	return []specs.Hook{{Path: "/bin/busybox", Args: []string{"sh", "-c", "echo > " + begun + "; exec sleep 1000"}}}
}

// cancelAt returns a context that is cancelled once a file exists.
func cancelAt(t *testing.T, file string) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(file); err == nil {
				time.Sleep(20 * time.Millisecond) // give it time to wait
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	return ctx
}

// waitFor waits until a file exists.
func waitFor(t *testing.T, file string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not appear", file)
		}
	}
}

// promptly calls a function that has to end with a context, and checks that it does.
func promptly(t *testing.T, what string, call func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) || !errors.Is(err, libcontainer.ErrInterrupted) {
			t.Errorf("%s: %v; want the end of the context", what, err)
		}
	case <-time.After(prompt):
		t.Fatalf("%s goes on after the end of its context", what)
	}
}

// nothingLeft checks that a state root has no containers.
func nothingLeft(t *testing.T, rt *libcontainer.Runtime) {
	t.Helper()
	entries, err := os.ReadDir(rt.Root)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s is left in the state root", e.Name())
	}
}

func TestCancelCreate(t *testing.T) {
	begun := filepath.Join(t.TempDir(), "begun")
	dir := bundleWith(t, func(s *specs.Spec) {
		s.Hooks = &specs.Hooks{CreateRuntime: sleepingHook(begun)}
	}, "true")
	rt := &libcontainer.Runtime{Root: filepath.Join(dir, "state")}
	ctx := cancelAt(t, begun)
	promptly(t, "create", func() error {
		_, err := rt.Create(ctx, "cancelled", libcontainer.CreateOptions{Bundle: dir})
		return err
	})
	nothingLeft(t, rt)
	promptly(t, "create with a context that is over", func() error {
		_, err := rt.Create(ctx, "cancelled", libcontainer.CreateOptions{Bundle: dir})
		return err
	})
	nothingLeft(t, rt)
}

func TestCancelStart(t *testing.T) {
	begun := filepath.Join(t.TempDir(), "begun")
	dir := bundleWith(t, func(s *specs.Spec) {
		s.Hooks = &specs.Hooks{Poststart: sleepingHook(begun)}
	}, "sleep", "1000")
	rt := &libcontainer.Runtime{Root: filepath.Join(dir, "state")}
	c, err := rt.Create(context.Background(), "cancelled", libcontainer.CreateOptions{Bundle: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx := cancelAt(t, begun)
	promptly(t, "start", func() error { return c.Start(ctx) })
	nothingLeft(t, rt) // as after any hook that fails
}

func TestCancelWaitForLock(t *testing.T) {
	begun := filepath.Join(t.TempDir(), "begun")
	dir := bundleWith(t, func(s *specs.Spec) {
		s.Hooks = &specs.Hooks{CreateRuntime: sleepingHook(begun)}
	}, "true")
	rt := &libcontainer.Runtime{Root: filepath.Join(dir, "state")}
	creating, stop := context.WithCancel(context.Background())
	defer stop()
	created := make(chan error, 1)
	go func() {
		_, err := rt.Create(creating, "busy", libcontainer.CreateOptions{Bundle: dir})
		created <- err
	}()
	// Each of these waits until the creation unlocks the container.
	for what, call := range map[string]func(context.Context) error{
		"start":  func(ctx context.Context) error { return rt.Container("busy").Start(ctx) },
		"delete": func(ctx context.Context) error { return rt.Container("busy").Delete(ctx) },
		"pause":  func(ctx context.Context) error { return rt.Container("busy").Pause(ctx) },
		"resume": func(ctx context.Context) error { return rt.Container("busy").Resume(ctx) },
		"update": func(ctx context.Context) error {
			return rt.Container("busy").Update(ctx, libcontainer.UpdateOptions{})
		},
	} {
		waitFor(t, begun)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(20*time.Millisecond, cancel) // while it waits
		promptly(t, what, func() error { return call(ctx) })
	}
	stop()
	if err := <-created; !errors.Is(err, context.Canceled) {
		t.Errorf("create: %v", err)
	}
	nothingLeft(t, rt)
}

func TestCancelExec(t *testing.T) {
	ctx := context.Background()
	dir := bundleWith(t, nil, "sleep", "1000")
	warned := ""
	rt := &libcontainer.Runtime{Root: filepath.Join(dir, "state"), Warn: func(message string) { warned = message }}
	id := "coracle-cancel-" + filepath.Base(dir)
	c, err := rt.Run(ctx, id, libcontainer.CreateOptions{Bundle: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.ForceDelete(ctx, id)
	if err := c.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	p, err := c.ProcessTemplate()
	if err != nil {
		t.Fatal(err)
	}
	p.Args = []string{"sleep", "1000"}
	soon, cancel := context.WithCancel(ctx)
	time.AfterFunc(50*time.Millisecond, cancel)
	promptly(t, "exec in a paused container", func() error {
		_, err := c.Exec(soon, libcontainer.ExecOptions{Process: p, IgnorePaused: true})
		return err
	})
	if err := c.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	// Frozen by cgroup v1 it has not ended before.
	var pids []int
	for deadline := time.Now().Add(prompt); len(pids) != 1 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if pids, err = c.Pids(); err != nil {
			t.Fatal(err)
		}
	}
	if len(pids) != 1 || pids[0] != c.Pid() {
		t.Errorf("the container has the processes %v, and not only %d", pids, c.Pid())
	}
	var child int
	if _, err := fmt.Sscanf(warned, "exec in container \""+id+"\": process %d has been killed", &child); err == nil {
		_ = status(child, 128+9)
	}
	if err := c.Signal(ctx, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := status(c.Pid(), 128+9); err != nil {
		t.Error(err)
	}
}

func TestCancelDelete(t *testing.T) {
	ctx := context.Background()
	begun := filepath.Join(t.TempDir(), "begun")
	dir := bundleWith(t, func(s *specs.Spec) { s.Hooks = &specs.Hooks{Poststop: sleepingHook(begun)} }, "true")
	rt := &libcontainer.Runtime{Root: filepath.Join(dir, "state")}
	c, err := rt.Run(ctx, "coracle-cancel-"+filepath.Base(dir), libcontainer.CreateOptions{Bundle: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := status(c.Pid(), 0); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Delete(cancelAt(t, begun)) }()
	select {
	case err := <-done:
		// The container is gone before its poststop hooks run, whose failures do not count.
		if err != nil {
			t.Error(err)
		}
	case <-time.After(prompt):
		t.Fatal("delete goes on after the end of its context")
	}
	nothingLeft(t, rt)
}

func TestCancelConnect(t *testing.T) {
	dir := bundleWith(t, nil, "true")
	// A socket with a full queue accepts no connection.
	path := filepath.Join(dir, "socket")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for {
		full, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(full)
		if err := unix.Connect(full, &unix.SockaddrUnix{Name: path}); errors.Is(err, unix.EAGAIN) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	rt := &libcontainer.Runtime{Root: filepath.Join(dir, "state")}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	promptly(t, "create", func() error {
		_, err := rt.Create(ctx, "coracle-cancel-"+filepath.Base(dir), libcontainer.CreateOptions{Bundle: dir, PidfdSocket: path})
		return err
	})
	nothingLeft(t, rt)
}

func TestCancelEvents(t *testing.T) {
	dir := bundleWith(t, nil, "sleep", "1000")
	rt := &libcontainer.Runtime{Root: filepath.Join(dir, "state")}
	id := "coracle-cancel-" + filepath.Base(dir)
	c, err := rt.Create(context.Background(), id, libcontainer.CreateOptions{Bundle: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.ForceDelete(context.Background(), id)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	promptly(t, "events", func() error {
		return c.Events(ctx, time.Hour, func(libcontainer.Event) error { return nil })
	})
}
