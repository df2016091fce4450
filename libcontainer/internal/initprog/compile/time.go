package compile

import (
	"fmt"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// openTimeOffsets opens the file for the offsets of a new time namespace. This happens while
// procfs is the host's, and before the process becomes non-dumpable or changes its ids: both
// change the owner of the file, and the permission is checked when it is opened.
func (c *compiler) openTimeOffsets() {
	if !c.makesTime() || len(c.spec.Linux.TimeOffsets) == 0 {
		return
	}
	c.timeOffsets = c.Word("timeoffsets", -1)
	c.note(stepOpenTimeOffsets, "linux.timeOffsets", "open the offsets of the clocks", "")
	//allow:path the host's /proc, before anything is mounted
	c.Openat(program.Cwd(), "/proc/self/timens_offsets", unix.O_WRONLY|unix.O_CLOEXEC, 0).Into(c.timeOffsets)
}

// makesTime reports whether the container gets a new time namespace.
func (c *compiler) makesTime() bool { return oci.HasNew(c.spec, specs.TimeNamespace) }

// timeNamespace makes a new time namespace with its offsets and enters it.
//
// unshare makes a namespace for children. The process itself would enter it with its next execve,
// and on older kernels not even then. Joining it through the link works at once on all kernels.
// The offsets can be written until then.
func (c *compiler) timeNamespace() {
	if !c.makesTime() {
		return
	}
	defer c.block()()
	tmp := c.take("tmp")
	c.Describe(program.Note{Step: stepTimeNamespace, What: "make the time namespace", Property: "linux.namespaces", Explain: func(e syscall.Errno) string {
		if e != unix.EINVAL {
			return ""
		}
		return "make the time namespace (linux.namespaces): the kernel has none (CONFIG_TIME_NS)"
	}})
	c.Unshare(unix.CLONE_NEWTIME)
	if offsets := bundle.TimeOffsets(c.spec.Linux.TimeOffsets); offsets != "" {
		c.Describe(program.Note{Step: stepTimeOffsets, What: "set the offsets of the clocks", Property: "linux.timeOffsets", Explain: func(e syscall.Errno) string {
			if e != unix.ERANGE {
				return ""
			}
			return fmt.Sprintf("set the offsets of the clocks (linux.timeOffsets): %s (a clock would be below zero, or above half of what it can hold)", e.Error())
		}})
		c.Write(c.timeOffsets.Arg(), offsets)
		c.Close(c.timeOffsets.Arg())
	}
	c.note(stepEnterTimeNamespace, "linux.namespaces", "enter the time namespace", "")
	//allow:path the host's /proc, before anything is mounted
	c.Openat(program.Cwd(), "/proc/self/ns/time_for_children", unix.O_RDONLY|unix.O_CLOEXEC, 0).Into(tmp)
	c.Setns(tmp.Arg(), unix.CLONE_NEWTIME)
	c.Close(tmp.Arg())
}
