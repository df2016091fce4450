// Package trial finds out what the kernel of this host does for this process, by trying it
// where nothing can come of it: on a thread that ends afterwards, in namespaces that nobody
// else is in, on a file system that is never made.
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

// Thread is a thread that ends after its trial.
type Thread struct {
	fresh uint64 // the namespaces (CLONE_NEW*) that nobody else is in
}

// Run runs a trial on a thread of its own, which ends with it.
func Run(trial func(*Thread)) {
	done := make(chan struct{})
	var run func()
	run = func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			// The first thread stands for the process and does not end. While it waits
			// here, another one has to take over.
			go run()
			<-done
			runtime.UnlockOSThread()
			return
		}
		// Whoever ends without unlocking the thread takes it along.
		defer close(done)
		trial(&Thread{})
	}
	go run()
	<-done
}

// Namespace puts the thread into a new namespace. It cannot be a user namespace, which a
// process with several threads does not get.
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

// Sysctl sets a kernel parameter, by its path below /proc/sys, of a namespace that the thread
// is alone in. Where it is not, or cannot know, it only looks whether the parameter is there.
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
	return nil // a procfs that is mounted read-only says nothing
}

// alone reports whether the thread has another namespace than its process.
func alone(ns specs.LinuxNamespaceType) bool {
	name := string(ns)
	if ns == specs.NetworkNamespace {
		name = "net"
	}
	var ours, all unix.Stat_t
	return unix.Stat("/proc/thread-self/ns/"+name, &ours) == nil && unix.Stat("/proc/self/ns/"+name, &all) == nil && ours.Ino != all.Ino
}

// Attributes gives the thread what the kernel is to schedule a process by. It has to be the last
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
