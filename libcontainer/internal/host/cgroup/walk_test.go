package cgroup

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDeepCgroups has cgroups whose paths are too long for the kernel, with a process in the last
// one, and fewer descriptors than levels.
func TestDeepCgroups(t *testing.T) {
	dir := scratchCgroup(t)
	t.Cleanup(func() {
		// Remove what a failure leaves, because nothing else would.
		_ = exec.Command("find", dir, "-depth", "-type", "d", "-execdir", "rmdir", "{}", ";").Run()
	})
	const levels = 120
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for i := 0; i < levels && err == nil; i++ {
		name := fmt.Sprintf("%0100d", i)
		if err = unix.Mkdirat(fd, name, 0o755); err == nil {
			// A sibling, which is visited as well.
			err = unix.Mkdirat(fd, "beside", 0o755)
		}
		if err == nil {
			var next int
			next, err = unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			unix.Close(fd)
			fd = next
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	c := exec.Command("sleep", "60")
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	var old, few syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	few = old
	few.Cur = 50
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) }()

	pids, err := pidsBelow(dir)
	if err != nil || !slices.Equal(pids, []int{c.Process.Pid}) {
		t.Errorf("found %v and not %d: %v", pids, c.Process.Pid, err)
	}
	if err := removeTree(dir, false); err == nil || !strings.Contains(err.Error(), "levels below") {
		t.Errorf("removed with a process in it: %v", err)
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	if err := removeTree(dir, false); err != nil {
		t.Error(err)
	}
	if err := unix.Access(dir, unix.F_OK); err != unix.ENOENT {
		t.Errorf("still there: %v", err)
	}
	if pids, err := pidsBelow(dir); err != nil || pids != nil {
		t.Error(pids, err)
	}
}
