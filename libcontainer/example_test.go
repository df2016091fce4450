package libcontainer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"coracle/libcontainer"
)

// A container is run through the library: here with a root file system that holds
// nothing but a busybox.
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

// exampleBundle makes a bundle with a busybox of the host.
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
