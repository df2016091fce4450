package compile

import (
	"fmt"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// ExecInput is the input for a program that runs an additional process in a container.
type ExecInput struct {
	// Spec is the configuration of the container with the new process in place of
	// the first one.
	Spec         *specs.Spec
	ID           string
	Host         Host
	NoNewKeyring bool
	Keyring      string
	Preserved    []bool
	// Pidfd and Root are open descriptors: the first process of the container, verified to be the
	// recorded one, and its root directory. Root is -1 when that process now has another root:
	// then the root of the mount namespace is used, if it lies in the mount with the unique id
	// RootMount.
	Pidfd, Root int
	RootMount   uint64
	// Exposed reports whether somebody may be in the pid namespace of the container who can look
	// into any process there.
	Exposed bool
}

// Exec compiles the program of an additional process.
//
// Attacker: the processes of the container, which can inspect ours from the moment that it joins
// one of their namespaces. So it is non-dumpable from before that until its execve, has no
// descriptor of the host except two sockets, and resolves everything itself, below the pinned
// root of the container.
//
// That does not stop CAP_SYS_PTRACE. So nothing that is in the pid namespace of the container
// has more privileges than the process that it becomes: it is forked last of all (lastFork).
func Exec(in ExecInput) (*Output, error) {
	c := newCompiler(Input{
		Bundle: &bundle.Bundle{Spec: in.Spec}, ID: in.ID, Host: in.Host, NoNewKeyring: in.NoNewKeyring,
		Keyring: in.Keyring, Preserved: in.Preserved,
	}, kindOfJoining(in.Spec))
	c.joins = true
	c.users = usersOfRunning(in.Spec)

	c.compileFilter()
	c.oomScoreAdj()
	c.labels(!in.NoNewKeyring)
	c.note(stepHide, "", "hide from the container", "")
	c.Prctl(unix.PR_SET_DUMPABLE, program.Int(0))
	c.begin()
	affinity := in.Spec.Process.ExecCPUAffinity
	if affinity == nil {
		affinity = &specs.CPUAffinity{}
	}
	c.initialAffinity(affinity.Initial)
	if c.users != hostUsers {
		c.ownHostStreams()
	}
	e := c.joinContainer(in, affinity.Initial == "")
	setAffinity := func() {
		if affinity.Initial == "" {
			c.resetAffinity()
		}
		c.affinity("process.execCPUAffinity.final", affinity.Final)
	}
	setAffinity()
	c.keyring()
	c.terminal(false)
	c.attributes()
	c.ready()
	c.dropDescriptors()
	c.noNewPrivileges()
	c.identity()
	c.stayHidden()
	c.lookUpCommand()
	c.leaveRuntime()
	c.setUmask()
	c.lastFork(e, setAffinity)
	c.execute()
	return c.finish()
}

// joinContainer joins the namespaces of the container and, unless that is left to the last
// process, its cgroups, where the process is born if it does not fork and born says so.
func (c *compiler) joinContainer(in ExecInput, born bool) *entry {
	pidfd := c.source(source.Held{What: "first process of the container", FD: in.Pidfd})
	if in.Root >= 0 {
		c.root = c.source(source.Held{What: "root directory of the container", FD: in.Root})
	}
	e := c.cgroupsAround(in.Spec, born, in.Exposed)
	c.joinNamespaces(pidfd, in.Spec, e)
	if in.Root < 0 {
		c.openNamespaceRoot(in.RootMount)
	}
	// Without pivot_root, the container's root differs from the root of its mount namespace.
	c.note(stepEnterRoot, "", "enter the root of the container", "")
	c.Fchdir(c.root)
	c.Chroot(".")
	return e
}

// openNamespaceRoot finds the root of the container where its mount namespace has its root.
//
// Attacker: the first process of the container, which may change its own root, and wait there
// with programs of its choice.
func (c *compiler) openNamespaceRoot(mount uint64) {
	c.Describe(program.Note{Step: stepEnterRoot, What: "enter the root of the container", Explain: func(e syscall.Errno) string {
		if e != unix.ESTALE {
			return ""
		}
		return fmt.Sprintf("exec in container %q: its first process has left the root that the container was created with, and its mount namespace has another one, too", c.in.ID)
	}, Code: func(e syscall.Errno) fault.Code {
		if e != unix.ESTALE {
			return ""
		}
		return fault.ContainerLeft
	}})
	root := c.Word("root", -1)
	//allow:path the root of the mount namespace that was just joined
	c.Openat(program.Cwd(), "/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into(root)
	c.root = root.Arg()
	st := c.NewStatx("root_st")
	c.StatxMount(c.root, st)
	c.Check(st.Mask(), unix.STATX_MNT_ID_UNIQUE, unix.STATX_MNT_ID_UNIQUE, unix.ESTALE)
	c.Check(st.MountLow(), ^uint32(0), uint32(mount), unix.ESTALE)
	c.Check(st.MountHigh(), ^uint32(0), uint32(mount>>32), unix.ESTALE)
}

// cgroupsAround enters the cgroups of the container, or opens the way for a process that is
// still to be forked: nil when none is.
func (c *compiler) cgroupsAround(spec *specs.Spec, born, exposed bool) *entry {
	if oci.Namespace(spec, specs.PIDNamespace) == nil {
		c.enterWithoutFork(born)
		return nil
	}
	return c.openEntry(exposed)
}

// joinNamespaces joins the namespaces of a running container through a descriptor of its
// first process: no path and no pid is involved that could mean another process by now. Only
// children of a process that joins a pid namespace are in it: that is left to lastFork.
//
// They are joined all at once, but for those that would make a stranger of the process, who
// may not enter the cgroups of the container.
func (c *compiler) joinNamespaces(pidfd program.Arg, spec *specs.Spec, e *entry) {
	flags, late := uint64(0), uint64(0)
	if spec.Linux != nil {
		for _, ns := range spec.Linux.Namespaces {
			flags |= oci.NamespaceFlag(ns.Type)
		}
	}
	if !e.empty() {
		late = unix.CLONE_NEWCGROUP
		if c.in.Host.can(unix.CAP_SYS_ADMIN, unix.CAP_SYS_CHROOT) {
			late |= unix.CLONE_NEWUSER
		}
		late &= flags
	}
	join := func(flags uint64) {
		c.Describe(program.Note{Step: stepJoinNamespaces, What: "join the namespaces of the container", Explain: goneError})
		if flags != 0 {
			c.Setns(pidfd, flags)
		}
	}
	if e != nil {
		c.beginInCgroup(e)
	}
	join(flags &^ late)
	if e != nil {
		c.enter(e)
		join(late)
	}
	c.Close(pidfd)
	if c.users != hostUsers {
		c.takeIDs()
	}
}

// goneError explains why the namespaces of a container cannot be entered.
func goneError(e syscall.Errno) string {
	if e == unix.ESRCH || e == unix.ENOMEM {
		return "the container has just stopped: container not running"
	}
	return ""
}

// leaveRuntime lets the process go on without the runtime, which hears of the execve by the end
// of the conversation. A process that forks is not the one that goes on.
func (c *compiler) leaveRuntime() {
	c.note(stepLeaveRuntime, "", "leave the runtime", "")
	if !c.forksLast() {
		c.Prctl(unix.PR_SET_PDEATHSIG, program.Int(0))
	}
	c.CloseOnExec(c.socket)
}
