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
		c.enterCgroupFile(w.Arg())
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
func (c *compiler) enterCgroupFile(fd program.Arg) {
	c.Write(fd, "0")
	c.Close(fd)
}

// entry is the way of a further process that forks into the cgroups of its container. The way
// of the first process is enterCgroup: nobody else is there yet.
//
// Others can look at the process from its last fork on, and they must not be able to keep it out
// of its cgroups, with which go the rules for devices. So the program enters them before that.
// At its limit of processes a cgroup refuses to fork, and not to enter, so that the program
// would take two of the processes that the container may have. Therefore the hierarchy that only
// counts processes is entered after the fork, unless somebody may look into the process then
// (Exposed), and in the unified hierarchy the process is born in its cgroup: to enter that takes
// a lock that stops all forks of the system.
//
// Who is born there has to be allowed to write to the files of the cgroup. The last process is
// where it is the superuser still; otherwise the program forks once more, when it is.
type entry struct {
	files []entryFile
	// count is the file of the hierarchy that only counts processes; nil when it is one of files.
	count *entryFile
	// procs is the file of the unified hierarchy, nil without one, and dir the descriptor of its
	// directory. With that somebody who looks into the last process could get to cgroups of the
	// host.
	procs *entryFile
	dir   program.Arg
	// last reports whether the last fork goes into the cgroup of the unified hierarchy.
	last bool
	// late reports whether the process may enter after the last fork where it cannot be born.
	late bool
}

type entryFile struct {
	fd   program.Arg
	note program.Note
}

// openEntry opens what is needed to enter after the mount namespace is joined, in which the
// files of the host's cgroups cannot be named any more.
func (c *compiler) openEntry(exposed bool) *entry {
	e := &entry{late: !exposed}
	c.placesTaken = make(map[int]bool)
	open := func(file string) *entryFile {
		w := c.Word("cgroup", -1)
		f := &entryFile{w.Arg(), cgroupNote(file)}
		c.step(f.note, func() { c.openCgroupFile(file, w) })
		return f
	}
	for _, file := range c.in.Host.CgroupJoin {
		f := open(file)
		if e.late && file == c.in.Host.CgroupCount {
			c.keepOpen(f, c.keptCount)
			e.count = f
			continue
		}
		e.files = append(e.files, *f)
	}
	if dir := c.in.Host.CgroupBirth; dir != "" {
		e.dir = c.source(source.Dir{What: "cgroup " + dir, Path: dir})
		e.procs, c.out.Outside = open(dir+"/cgroup.procs"), c.Word("outside", 0)
		if e.late {
			c.keepOpen(e.procs, c.keptProcs)
			e.last = c.bornLast(e)
		}
		if e.last {
			e.dir = c.moveTo(e.dir, c.keptDir)
		}
		c.out.TakesTwo = e.late && !e.last
	}
	return e
}

// keepOpen gives a file a place among those that stay open until the last fork.
func (c *compiler) keepOpen(f *entryFile, place int) {
	c.step(f.note, func() { f.fd = c.moveTo(f.fd, place) })
}

// moveTo moves a descriptor.
func (c *compiler) moveTo(fd program.Arg, place int) program.Arg {
	c.Dup3(fd, program.FD(place), unix.O_CLOEXEC)
	c.Close(fd)
	c.placesTaken[place] = true
	return program.FD(place)
}

// bornLast reports whether the last process can be born in the cgroup of the unified hierarchy:
// as the superuser of the host, and by a call that does not keep the seccomp filter from being
// loaded before.
func (c *compiler) bornLast(e *entry) bool {
	p := c.spec.Process
	if c.users != hostUsers || p == nil || p.User.UID != 0 {
		return false
	}
	without, with := *e, *e
	with.last = true
	return c.filter == nil || c.survives(&with) || !c.survives(&without)
}

// empty reports whether there is nothing to enter.
func (e *entry) empty() bool {
	return e == nil || len(e.files) == 0 && e.count == nil && e.procs == nil
}

// bornOutside are the reasons for which nobody can be born in a cgroup. EAGAIN: it is at its
// limit. EBUSY, EOPNOTSUPP: it takes none. The others: this process may not do it.
var bornOutside = []syscall.Errno{unix.EAGAIN, unix.EBUSY, unix.EOPNOTSUPP, unix.EACCES, unix.EPERM, unix.ENOENT}

// forkInto forks into the cgroup of the unified hierarchy, or outside of it.
func (c *compiler) forkInto(e *entry, pid, pidfd program.Word) {
	alone, forked := c.Label(), c.Label()
	if !e.last {
		c.JumpIf(c.out.Outside, ^uint32(0), 1, alone) // it takes two places, which are not there
	}
	c.ForkInto(e.dir, pidfd).Into(pid).Allow(bornOutside...).Else(alone)
	c.Jump(forked)
	c.Bind(alone)
	c.Set(c.out.Outside, program.Int(1))
	c.Fork(pidfd).Into(pid)
	c.Bind(forked)
}

// beginInCgroup goes on in a process that was born in the cgroup of the unified hierarchy,
// unless the last process will be. No other process of the container sees it.
func (c *compiler) beginInCgroup(e *entry) {
	if e.procs == nil || e.last {
		return
	}
	c.step(e.procs.note, func() {
		c.fork(func(pid, pidfd program.Word) { c.forkInto(e, pid, pidfd) })
		c.stayWithParent()
		if !e.late {
			c.enterUnified(e)
		}
	})
}

// enter enters the cgroups before the last fork.
func (c *compiler) enter(e *entry) {
	for _, f := range e.files {
		c.step(f.note, func() { c.enterCgroupFile(f.fd) })
	}
}

// enterLast enters what is left after the last fork.
func (c *compiler) enterLast(e *entry) {
	if e.procs != nil && e.late {
		if e.last {
			c.Close(e.dir)
		}
		c.enterUnified(e)
	}
	if e.count != nil {
		c.step(e.count.note, func() { c.enterCgroupFile(e.count.fd) })
	}
}

// enterUnified enters the cgroup of the unified hierarchy, unless the process is there.
func (c *compiler) enterUnified(e *entry) {
	c.step(e.procs.note, func() {
		inside := c.Label()
		c.JumpIf(c.out.Outside, ^uint32(0), 0, inside)
		c.Write(e.procs.fd, "0")
		c.Bind(inside)
		c.Close(e.procs.fd)
	})
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
