package compile

import (
	"fmt"
	"path"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/oci"
)

// joinCgroup enters the container's cgroups, and makes a new cgroup namespace if one is wanted:
// the cgroup at that moment becomes its root.
func (c *compiler) joinCgroup() {
	if c.joined {
		return
	}
	c.enterCgroup()
	if flag := c.cgroupNamespace(); flag != 0 {
		c.note(stepCgroupNamespace, "linux.namespaces", "make the cgroup namespace", "")
		c.Unshare(flag)
	}
}

// cgroupNamespace returns the flag of a new cgroup namespace, 0 when none is wanted.
func (c *compiler) cgroupNamespace() uint64 {
	if oci.HasNew(c.spec, specs.CgroupNamespace) {
		return unix.CLONE_NEWCGROUP
	}
	return 0
}

// enterCgroup enters the container's cgroups.
//
// A process that moves itself, thread by thread, need not wait for the lock that stops all forks
// of the system. Moving another process takes that lock.
func (c *compiler) enterCgroup() {
	c.joined = true
	if len(c.in.Host.CgroupJoin) > 0 || c.in.Host.CgroupWait {
		c.note(stepAwaitCgroups, "linux.cgroupsPath", "wait for the cgroups", "")
		c.sync(c.socket, protocol.PointCgroup)
	}
	c.joinCgroupFiles()
	c.resetAffinity()
}

// joinCgroupFiles enters the cgroups. The host's paths are valid until the pivot.
func (c *compiler) joinCgroupFiles() {
	for _, file := range c.in.Host.CgroupJoin {
		c.joinCgroupFile(file)
	}
}

// joinCgroupFile enters a cgroup through one of its files.
func (c *compiler) joinCgroupFile(file string) {
	c.step(cgroupNote(file), func() {
		w := c.take("tmp")
		c.openCgroupFile(file, w)
		c.enterCgroupFile(w)
	})
}

// cgroupNote returns the note for ops on the file of a cgroup.
func cgroupNote(file string) program.Note {
	dir := path.Dir(file)
	return program.Note{Step: stepJoinCgroup, What: "join the cgroup", Object: dir, Property: "linux.cgroupsPath", HostPath: dir, Explain: func(e syscall.Errno) string {
		why := ""
		switch e {
		case unix.ENOSPC:
			why = "its cpuset has no CPUs or no memory nodes"
		case unix.EBUSY:
			why = "it has passed its controllers on to cgroups below it, and can have no processes"
		case unix.ENODEV, unix.ENOENT:
			why = "it has been removed"
		default:
			return ""
		}
		return fmt.Sprintf("join the cgroup %q (linux.cgroupsPath): %s: %s", dir, e.Error(), why)
	}}
}

// openCgroupFile opens a file through which a process enters a cgroup. The kernel checks the
// privileges of the process that opens it, not of the process that writes to it.
func (c *compiler) openCgroupFile(file string, into program.Word) {
	//allow:path the host's cgroup, before the pivot
	c.Openat(program.Cwd(), file, unix.O_WRONLY|unix.O_CLOEXEC, 0).Into(into)
}

// enterCgroupFile enters a cgroup through an open file.
func (c *compiler) enterCgroupFile(w program.Word) {
	c.Write(w.Arg(), "0")
	c.Close(w.Arg())
}

// entry is the way of a further process into the cgroups of its container. The way of the
// first process is enterCgroup: nobody else is there yet.
//
// A process that forks there takes two of the processes that the container may have, and
// may not get the second one: at the limit the kernel refuses to fork, and not to enter. So
// the last process enters, after the fork, through files that were opened before it. Where
// it can it is born in the cgroup of the unified hierarchy, because to enter that takes a lock
// that stops all forks of the system.
//
// Attacker: a process of the container, which may look at ours from the fork on. Whoever can
// look into a process that is non-dumpable, and has all privileges still, gains nothing by
// keeping it out of its cgroups.
type entry struct {
	files []entryFile
	// procs is the file of the unified hierarchy, nil without one.
	procs *entryFile
	// dir is the descriptor of its directory, for the fork.
	dir int
}

type entryFile struct {
	fd   program.Word
	note program.Note
}

// openEntry opens what is needed to enter after a fork.
func (c *compiler) openEntry() *entry {
	e := &entry{dir: -1}
	open := func(file string) entryFile {
		f := entryFile{c.Word("cgroup", -1), cgroupNote(file)}
		c.step(f.note, func() { c.openCgroupFile(file, f.fd) })
		return f
	}
	for _, file := range c.in.Host.CgroupJoin {
		e.files = append(e.files, open(file))
	}
	if dir := c.in.Host.CgroupBirth; dir != "" {
		e.dir = c.out.SourceFD + len(c.out.Sources)
		c.source(source.Dir{What: "cgroup " + dir, Path: dir})
		procs := open(dir + "/cgroup.procs")
		e.procs, c.out.Outside = &procs, c.Word("outside", 0)
	}
	return e
}

// empty reports whether there is nothing to enter.
func (e *entry) empty() bool { return e == nil || len(e.files) == 0 && e.procs == nil }

// enter enters the cgroups. It closes what was opened for that.
func (c *compiler) enter(e *entry) {
	if e.procs != nil {
		c.step(e.procs.note, func() {
			c.Close(program.FD(e.dir))
			inside := c.Label()
			c.JumpIf(c.out.Outside, ^uint32(0), 0, inside)
			c.Write(e.procs.fd.Arg(), "0")
			c.Bind(inside)
			c.Close(e.procs.fd.Arg())
		})
	}
	for _, f := range e.files {
		c.step(f.note, func() { c.enterCgroupFile(f.fd) })
	}
}

// enterWithoutFork enters the cgroups of a container whose pid namespace the process is in
// already. The process starts in the cgroup of the unified hierarchy, unless that is full.
func (c *compiler) enterWithoutFork(born bool) {
	if dir := c.in.Host.CgroupBirth; dir != "" {
		outside := int32(1)
		if born {
			c.out.Birth, outside = dir, 0
		}
		c.out.Outside = c.Word("outside", outside)
		inside := c.Label()
		c.note(stepJoinCgroup, "linux.cgroupsPath", "join the cgroup", dir)
		c.JumpIf(c.out.Outside, ^uint32(0), 0, inside)
		c.joinCgroupFile(dir + "/cgroup.procs")
		c.Bind(inside)
	}
	c.joinCgroupFiles()
}
