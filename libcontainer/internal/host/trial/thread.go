// Package trial finds out what the kernel of this host allows this process, by trying it without
// side effects: on a thread that ends afterwards, in namespaces that no other process is in, on a
// file system that is never created.
package trial

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// Thread is an operating system thread that ends after its trial.
type Thread struct {
	fresh uint64 // the new namespaces (CLONE_NEW*) of the thread
}

// Run runs a trial on a thread of its own, which ends afterwards.
func Run(trial func(*Thread)) {
	done := make(chan struct{})
	var run func()
	run = func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			// The main thread must not be used, because it does not end with its goroutine. Keep
			// it busy here, so that the new goroutine runs on another thread.
			go run()
			<-done
			runtime.UnlockOSThread()
			return
		}
		// A goroutine that ends without unlocking its thread ends the thread, too.
		defer close(done)
		trial(&Thread{})
	}
	go run()
	<-done
}

// Namespace moves the thread into a new namespace. A new user namespace is not possible in a
// process with several threads.
func (t *Thread) Namespace(ns specs.LinuxNamespaceType) error {
	flag := oci.NamespaceFlag(ns)
	err := unix.Unshare(int(flag))
	hint := ""
	switch {
	case err == nil:
		t.fresh |= flag
		return nil
	case errors.Is(err, unix.EINVAL):
		hint = " (this kernel has no such namespaces)"
	case errors.Is(err, unix.ENOSPC):
		hint = " (a limit in /proc/sys/user is reached)"
	}
	return fmt.Errorf("a new %s namespace cannot be made: %w%s", ns, err, hint)
}

// Sysctl sets a kernel parameter, given by its path below /proc/sys, if the thread is alone in
// the namespace of the parameter. Otherwise it only checks that the parameter exists.
func (t *Thread) Sysctl(path, value string, ns specs.LinuxNamespaceType) error {
	file := "/proc/sys/" + path
	if unix.Access(file, unix.F_OK) != nil {
		return fmt.Errorf("this kernel has no parameter %s in a new %s namespace", path, ns)
	}
	if ns == specs.UserNamespace || t.fresh&oci.NamespaceFlag(ns) == 0 || !alone(ns) {
		return nil
	}
	err := linux.Write(file, value)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ERANGE) {
		return fmt.Errorf("the kernel does not take the value %q: %w", value, err)
	}
	return nil // on a read-only procfs the result means nothing
}

// alone reports whether the thread is in another namespace than its process.
func alone(ns specs.LinuxNamespaceType) bool {
	name := oci.NamespaceFile(ns)
	ours, err := linux.Process("thread-self").Namespace(name)
	all, noErr := linux.Self.Namespace(name)
	return err == nil && noErr == nil && ours != all
}

// Attributes sets the scheduling attributes of a process on the thread. It has to be the last
// trial of a thread. Each problem names its property.
func (t *Thread) Attributes(s *specs.Spec) (problems []bundle.Problem) {
	failed := func(pointer string, err error) {
		if err != nil {
			problems = append(problems, bundle.Problem{Property: pointer, Text: "the kernel does not allow it: " + err.Error()})
		}
	}
	if l := s.Linux; l != nil && l.MemoryPolicy != nil {
		mode, nodes := bundle.MemoryPolicy(l.MemoryPolicy)
		failed("linux.memoryPolicy", setMempolicy(mode, nodes))
	}
	if l := s.Linux; l != nil && l.Personality != nil {
		failed("linux.personality", call(unix.SYS_PERSONALITY, uintptr(bundle.Personality(l.Personality)), 0, 0))
	}
	if s.Process == nil {
		return problems
	}
	if p := s.Process.IOPriority; p != nil {
		const thread = 1 // IOPRIO_WHO_PROCESS
		failed("process.ioPriority", call(unix.SYS_IOPRIO_SET, thread, 0, uintptr(bundle.IOPriority(p))))
	}
	if p := s.Process.Scheduler; p != nil {
		attr := bundle.SchedAttr(p)
		failed("process.scheduler", unix.SchedSetAttr(0, &attr, 0))
	}
	return problems
}

func call(number, a, b, c uintptr) error {
	if _, _, errno := unix.Syscall(number, a, b, c); errno != 0 {
		return errno
	}
	return nil
}
