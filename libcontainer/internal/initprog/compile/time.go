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

// openTimeOffsets opens the file that takes the offsets of a new time namespace. It happens
// while procfs is that of the host, and before the process hides or changes its ids: the file
// belongs to whom it may be dumped by, and whether it can be written is up to who opens it.
func (c *compiler) openTimeOffsets() {
	if !c.makesTime() || len(c.spec.Linux.TimeOffsets) == 0 {
		return
	}
	c.timeOffsets = c.Word("timeoffsets", -1)
	c.note(stepOpenTimeOffsets, "linux.timeOffsets", "open the offsets of the clocks", "")
	//allow:path the host's /proc, before anything is mounted
	c.Openat(program.Cwd(), "/proc/self/timens_offsets", unix.O_WRONLY|unix.O_CLOEXEC, 0).Into(c.timeOffsets)
}

// makesTime reports whether the container gets a time namespace of its own.
func (c *compiler) makesTime() bool { return oci.HasNew(c.spec, specs.TimeNamespace) }

// timeNamespace makes a new time namespace with its offsets and enters it.
//
// What unshare makes is for children: the process itself would get there by its next
// execve, and on older kernels not even by that. Joining it by the link works at once
// on all. The offsets can be written until then.
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
