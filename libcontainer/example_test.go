package libcontainer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer"
)

// This example runs a container with a root file system that holds only busybox.
func Example() {
	dir, err := exampleBundle("echo", "hello from the container")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	ctx := context.Background()
	rt := libcontainer.Runtime{Root: filepath.Join(dir, "state")}
	output, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		log.Fatal(err)
	}
	defer output.Close()
	c, err := rt.Create(ctx, "example", libcontainer.CreateOptions{Bundle: dir, Stdout: output})
	if err != nil {
		log.Fatal(err)
	}
	s, err := c.State()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.ID, s.Status)

	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	process, err := os.FindProcess(c.Pid())
	if err != nil {
		log.Fatal(err)
	}
	if _, err := process.Wait(); err != nil {
		log.Fatal(err)
	}
	if err := c.Delete(ctx); err != nil {
		log.Fatal(err)
	}
	text, err := os.ReadFile(output.Name())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(text))
	// Output:
	// example created
	// hello from the container
}

// Run starts a container at once, and Exec puts another process into it. Both processes are
// children of this one, which waits for them.
func ExampleRuntime_Run() {
	dir, err := exampleBundle("sleep", "1000")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	// Whatever takes too long is given up, and undone.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	rt := libcontainer.Runtime{Root: filepath.Join(dir, "state")}
	c, err := rt.Run(ctx, "example-run", libcontainer.CreateOptions{Bundle: dir})
	if err != nil {
		log.Fatal(err)
	}
	first, err := os.FindProcess(c.Pid())
	if err != nil {
		log.Fatal(err)
	}
	process, err := c.ProcessTemplate()
	if err != nil {
		log.Fatal(err)
	}
	process.Args = []string{"sh", "-c", "exit 7"}
	pid, err := c.Exec(ctx, libcontainer.ExecOptions{Process: process})
	if err != nil {
		log.Fatal(err)
	}
	if p, err := os.FindProcess(pid); err == nil {
		if status, err := p.Wait(); err == nil {
			fmt.Println("the second process:", status)
		}
	}

	if err := c.Signal(ctx, unix.SIGKILL); err != nil {
		log.Fatal(err)
	}
	if status, err := first.Wait(); err == nil {
		fmt.Println("the first process:", status)
	}
	if err := c.Delete(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := c.State(); errors.Is(err, libcontainer.ErrNotExist) {
		fmt.Println("there is no container")
	}
	// Output:
	// the second process: exit status 7
	// the first process: signal: killed
	// there is no container
}

// exampleBundle makes a bundle with the host's busybox.
func exampleBundle(args ...string) (string, error) {
	dir, err := os.MkdirTemp("", "coracle-example")
	if err != nil {
		return "", err
	}
	for _, d := range []string{"bin", "proc", "dev", "sys"} {
		if err := os.MkdirAll(filepath.Join(dir, "rootfs", d), 0o755); err != nil {
			return "", err
		}
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "rootfs/bin/busybox"), busybox, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{args[0], "sh"} {
		if err := os.Symlink("busybox", filepath.Join(dir, "rootfs/bin", name)); err != nil {
			return "", err
		}
	}
	spec := libcontainer.DefaultSpec()
	spec.Process.Terminal = false
	spec.Process.Args = args
	config, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, libcontainer.ConfigName), config, 0o644)
}
