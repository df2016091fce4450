// Torture injects failures everywhere and checks for leftovers: for each failure the command has
// to print the reason in one line, and `delete --force` has to leave nothing behind.
//
//	torture [FLAGS] MODE...
//
//	ops       every op of the init programs of create, start and exec exits or fails
//	          (needs a binary with the build tag failpoints)
//	phases    every phase of every command is killed, is slow, or hangs (the same)
//	syscalls  the command is killed at each of its system calls (needs strace)
//	limits    full disks, few descriptors, few processes, little memory
//	cycles    create, start, kill and delete, many times and in parallel
//
// It prints a line for each mode, and the failures. The status is 1 when there are any.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	t := &torture{}
	flag.StringVar(&t.coracle, "coracle", "bin/coracle-failpoints", "the `binary` to test")
	flag.StringVar(&t.rootfs, "rootfs", "/var/cache/coracle/busybox", "the `directory` that is the root of the containers")
	flag.IntVar(&t.stride, "stride", 1, "test one of `N` places")
	flag.IntVar(&t.cycles, "cycles", 1000, "the `number` of cycles")
	flag.IntVar(&t.lanes, "lanes", 8, "the `number` of cycles at the same time")
	flag.Parse()
	if err := t.run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(2)
	}
	if t.failed {
		os.Exit(1)
	}
}

// torture is one run.
type torture struct {
	coracle, rootfs       string
	stride, cycles, lanes int

	dir    string // for all files
	failed bool
}

func (t *torture) run(modes []string) (err error) {
	if t.coracle, err = filepath.Abs(t.coracle); err != nil {
		return err
	}
	if _, err := os.Stat(t.coracle); err != nil {
		return err
	}
	if t.dir, err = os.MkdirTemp("", "cortest-torture-"); err != nil {
		return err
	}
	defer os.RemoveAll(t.dir)
	known := map[string]func() error{
		"ops": t.ops, "phases": t.phases, "syscalls": t.syscalls, "limits": t.limits, "cycle": t.cycle, "cycles": t.cycle,
	}
	for _, m := range modes {
		f, ok := known[m]
		if !ok {
			return fmt.Errorf("no such mode: %q", m)
		}
		if err := f(); err != nil {
			return fmt.Errorf("%s: %w", m, err)
		}
	}
	return nil
}

// fail reports a failure of the product.
func (t *torture) fail(format string, args ...any) {
	t.failed = true
	fmt.Printf("FAILED "+format+"\n", args...)
}
