package compile

import (
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// sysctls sets the kernel parameters of the container's namespaces.
//
// Attacker: a mount over /proc/sys or parts of it, which would make the value land elsewhere
// (CVE-2025-52881). So a new procfs is used that is mounted nowhere. It is closed at once,
// because an open, unmasked procfs is dangerous.
func (c *compiler) sysctls() {
	if c.spec.Linux == nil || len(c.spec.Linux.Sysctl) == 0 {
		return
	}
	defer c.block()()
	tmp := c.take("tmp")
	proc := c.Word("proc", -1)
	c.note(stepOpenSysctl, "linux.sysctl", "open a private procfs", "")
	c.newFilesystem("proc", "", nil, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC, proc)
	for _, key := range bundle.SysctlKeys(c.spec) {
		path, err := bundle.SysctlPath(key)
		if err != nil {
			c.fail("linux.sysctl", "%w", err)
			return
		}
		value := c.spec.Linux.Sysctl[key]
		c.Describe(program.Note{Step: stepSysctl, What: "set the kernel parameter", Object: key, Property: "linux.sysctl", Explain: func(e syscall.Errno) string {
			if e != unix.EINVAL && e != unix.ERANGE {
				return ""
			}
			hint := ""
			if e == unix.EINVAL && bundle.IsGroupRange(path) && c.inUserNamespace() {
				hint = " (both groups have to be mapped in the user namespace)"
			}
			return fmt.Sprintf("set the kernel parameter %q to %q (linux.sysctl): %s%s", key, value, e.Error(), hint)
		}})
		c.Openat2(proc.Arg(), "sys/"+path, program.Lookup{
			Flags:   unix.O_WRONLY | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
		}).Into(tmp)
		c.Write(tmp.Arg(), value)
		c.Close(tmp.Arg())
	}
	c.Close(proc.Arg())
}

// attributes sets the scheduling attributes of the process. It needs privileges that the process
// may be about to lose.
func (c *compiler) attributes() {
	if p := c.spec.Process; p != nil {
		if s := p.Scheduler; s != nil && !c.schedulesLast() {
			c.note(stepScheduler, "process.scheduler", "set the scheduling policy", string(s.Policy))
			c.SchedSetattr(bundle.SchedAttr(s))
		}
		if io := p.IOPriority; io != nil {
			c.note(stepIOPriority, "process.ioPriority", "set the I/O priority", string(io.Class))
			c.IoprioSet(bundle.IOPriority(io))
		}
	}
	if l := c.spec.Linux; l != nil {
		if l.Personality != nil {
			c.note(stepPersonality, "linux.personality", "set the personality", string(l.Personality.Domain))
			c.Personality(bundle.Personality(l.Personality))
		}
		if l.MemoryPolicy != nil {
			c.note(stepMemoryPolicy, "linux.memoryPolicy", "set the memory policy", string(l.MemoryPolicy.Mode))
			mode, nodes := bundle.MemoryPolicy(l.MemoryPolicy)
			c.SetMempolicy(mode, nodes)
		}
	}
}

// resetAffinity allows the process all CPUs of its cpuset, instead of those of its caller. The
// kernel ignores CPUs that the cpuset does not have or that do not exist.
func (c *compiler) resetAffinity() {
	c.note(stepResetAffinity, "", "reset the CPU affinity", "")
	c.SchedSetaffinity(slices.Repeat([]uint64{^uint64(0)}, affinityBytes/8)).Allow(program.AnyError)
}

// affinityBytes are the bytes of a mask with 8192 CPUs, more than any kernel is built for.
const affinityBytes = 1024

// initialAffinity sets the CPUs to use until the process enters the container's cgroups. They are
// an optimization, and the runtime's cpuset may lack them: then there is a warning, and the
// affinity stays as it is.
func (c *compiler) initialAffinity(list string) {
	const pointer = "process.execCPUAffinity.initial"
	mask, err := oci.ParseList(list)
	if err != nil {
		c.fail(pointer, "%w", err)
		return
	}
	if len(mask) == 0 {
		return
	}
	refused, done := c.Label(), c.Label()
	c.note(stepInitialAffinity, pointer, "set the initial CPU affinity", list)
	c.SchedSetaffinity(mask).Allow(unix.EINVAL).Else(refused)
	c.Jump(done)
	c.Bind(refused)
	c.notice(fmt.Sprintf("exec: %s is left out: this runtime may use none of the CPUs %q", pointer, list))
	c.resetAffinity()
	c.Bind(done)
}

// affinity restricts the process to a list of CPUs.
func (c *compiler) affinity(pointer, list string) {
	mask, err := oci.ParseList(list)
	if err != nil {
		c.fail(pointer, "%w", err)
		return
	}
	if len(mask) > 0 {
		c.note(stepAffinity, pointer, "set the CPU affinity", list)
		c.SchedSetaffinity(mask)
	}
}
