package compile

import (
	"fmt"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
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
}

// Exec compiles the program of an additional process.
//
// Attacker: the processes of the container, who can look at ours from the moment
// that it joins a namespace of theirs. So it is non-dumpable before that and until
// its execve, holds no descriptor of the host but two sockets and pinned ones of the
// container, and resolves everything by itself, below the pinned root.
func Exec(in ExecInput) (*Output, error) {
	c := newCompiler(Input{
		Bundle: &bundle.Bundle{Spec: in.Spec}, ID: in.ID, Host: in.Host, NoNewKeyring: in.NoNewKeyring,
		Keyring: in.Keyring, Preserved: in.Preserved,
	}, false)
	c.joins = true
	c.users = usersOfRunning(in.Spec)

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
	c.joinContainer(in, affinity.Initial == "")
	if affinity.Initial == "" {
		c.resetAffinity()
	}
	c.affinity("process.execCPUAffinity.final", affinity.Final)
	c.keyring()
	c.terminal(false)
	c.attributes()
	c.ready()
	c.dropDescriptors()
	c.compileFilter()
	c.noNewPrivileges()
	c.identity()
	c.lookUpCommand()
	c.finalExec()
	return c.finish()
}

// joinContainer joins the cgroups of the container, where the process may be born if it has
// to fork before that or if born says so, and the namespaces.
func (c *compiler) joinContainer(in ExecInput, born bool) {
	pidfd := c.source(source.Held{What: "first process of the container", FD: in.Pidfd})
	if in.Root >= 0 {
		c.root = c.source(source.Held{What: "root directory of the container", FD: in.Root})
	}
	c.joinNamespaces(pidfd, in.Spec, c.cgroupsAround(in.Spec, born))
	if c.out.Forks && !c.needsRuntime() {
		// The runtime has to know the process before that is on its own. Otherwise it does
		// when it is asked for something.
		c.sync(c.socket, protocol.PointPid)
	}
	if in.Root < 0 {
		c.openNamespaceRoot(in.RootMount)
	}
	// Without pivot_root, the container's root differs from the root of its mount namespace.
	c.note(stepEnterRoot, "", "enter the root of the container", "")
	c.Fchdir(c.root)
	c.Chroot(".")
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
// still to be forked. The files of the host's cgroups can be named only before the mount
// namespace is joined, and no process may fork outside of the container's after that.
func (c *compiler) cgroupsAround(spec *specs.Spec, born bool) *entry {
	if oci.Namespace(spec, specs.PIDNamespace) != nil {
		return c.openEntry()
	}
	c.enterWithoutFork(born)
	return nil
}

// joinNamespaces joins the namespaces of a running container through a descriptor of its
// first process: no path and no pid is involved that could mean another process by now. A
// process that forks enters the cgroups of e, which may be nil.
//
// They are joined all at once, but for those that would make a stranger of the process, who
// may not give birth in the cgroups of the container. The forked process joins them.
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
	gone := func(e syscall.Errno) string {
		if e == unix.ESRCH || e == unix.ENOMEM {
			return "the container has just stopped: container not running"
		}
		return ""
	}
	join := func(flags uint64) {
		c.Describe(program.Note{Step: stepJoinNamespaces, What: "join the namespaces of the container", Explain: gone})
		if flags != 0 {
			c.Setns(pidfd, flags)
		}
	}
	join(flags &^ late)
	if flags&unix.CLONE_NEWPID != 0 {
		c.out.Forks = true
		c.fork(gone, e)
		join(late)
	}
	c.Close(pidfd)
	if c.users != hostUsers {
		c.takeIDs()
	}
}

// finalExec becomes the process without waiting at a gate. The runtime hears of it by
// the end of the conversation.
func (c *compiler) finalExec() {
	c.note(stepLeaveRuntime, "", "leave the runtime", "")
	c.Prctl(unix.PR_SET_PDEATHSIG, program.Int(0))
	c.CloseOnExec(c.socket)
	c.execute()
}
