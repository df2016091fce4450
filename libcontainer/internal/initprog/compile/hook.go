package compile

import (
	"fmt"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// HookInput is the input for a program that becomes a hook.
type HookInput struct {
	Hook specs.Hook
	// Name is the name of the hook: "createContainer[0]".
	Name string
	// Spec is the configuration of the container.
	Spec *specs.Spec
	// Pidfd is the first process of the container for a hook in the container's namespaces, -1
	// for a hook in the runtime's.
	Pidfd int
	// Exposed is as in [ExecInput].
	Exposed bool
	// Root is the directory below which the hook's path is resolved, -1 for the runtime's root
	// directory.
	Root int
	// Cwd is the working directory, -1 for Dir. A hook in the container has the working directory
	// of the container's process.
	Cwd int
	// Dir is the path of the working directory. With MayBeGone it may be missing; the root
	// directory is used instead.
	Dir       string
	MayBeGone bool
	// Environ is the environment of a hook that sets none. A hook in the container gets that of
	// the container's process.
	Environ []string
	// Inside reports whether Root is the root directory of the container, so that the hook's
	// program comes from the image.
	Inside bool
	// Host is needed for a hook in the container.
	Host Host
}

// Hook compiles the program of a hook. The hook gets no descriptors except its standard streams.
// Unless its program comes from the image, it gets nothing of the image's environment:
// CVE-2025-23266 was a hook on the host with a variable for the dynamic linker from the image.
//
// A hook whose program comes from the image has no more privileges than the container's process,
// and the same limits.
func Hook(in HookInput) (*Output, error) {
	spec := &specs.Spec{Linux: in.Spec.Linux, Annotations: in.Spec.Annotations}
	confined := in.Inside && in.Spec.Process != nil
	if confined {
		p := *in.Spec.Process
		p.Terminal = false
		spec.Process = &p
	}
	what := otherProcess
	if in.Pidfd >= 0 {
		what = kindOfJoining(in.Spec)
	}
	c := newCompiler(Input{Bundle: &bundle.Bundle{Spec: spec}, Host: in.Host}, what)
	if confined {
		c.compileFilter()
	}
	if in.Pidfd >= 0 {
		c.users = usersOfRunning(in.Spec)
	}
	c.labels(false)
	c.note(stepPrepareHook, "hooks", "prepare the hook", "")
	c.Prctl(unix.PR_SET_DUMPABLE, program.Int(0))
	c.begin()
	var e *entry
	if confined {
		e = c.cgroupsAround(in.Spec, true, in.Exposed)
	}
	if in.Pidfd >= 0 {
		pidfd := c.source(source.Held{What: "first process of the container", FD: in.Pidfd})
		if in.Root >= 0 {
			c.root = c.source(source.Held{What: "root directory of the hook", FD: in.Root})
		}
		c.joinNamespaces(pidfd, in.Spec, e)
	}
	c.note(stepPrepareHook, "hooks", "prepare the hook", "")
	if in.Root >= 0 {
		c.Fchdir(c.root)
		c.Chroot(".")
	}
	c.hookDirectory(in)
	if confined {
		c.noHome = in.Hook.Env != nil
		c.ready()
	}
	c.dropDescriptors()
	if confined {
		c.noNewPrivileges()
		c.identity()
		c.stayHidden()
	}
	c.note(stepStartHook, "hooks", "start the hook", "")
	c.Umask(c.umask.Arg())
	c.CloseOnExec(c.socket)
	c.lastFork(e, c.resetAffinity)
	c.started()

	args := in.Hook.Args
	if len(args) == 0 {
		args = []string{in.Hook.Path}
	}
	host := in.Hook.Path
	if in.Inside {
		host = ""
	}
	c.Describe(program.Note{Step: stepExecute, What: "execute the hook", Object: in.Hook.Path, HostPath: host, Explain: func(e syscall.Errno) string {
		return fmt.Sprintf("execute %q: %s", in.Hook.Path, e.Error())
	}})
	env := in.Hook.Env
	switch {
	case env != nil: // also an empty environment
	case confined:
		env = c.environment()
	default:
		env = in.Environ
	}
	path := c.Word("path", int32(c.StringAddr(in.Hook.Path)))
	c.Execve(path, c.vector(args, 0), c.vector(oci.Env(env).LastOfEach(), c.home))
	return c.finish()
}

// hookDirectory enters the working directory of a hook. The container's process enters its own
// last of all.
func (c *compiler) hookDirectory(in HookInput) {
	if in.Cwd >= 0 {
		cwd := c.source(source.Held{What: "working directory of the hook", FD: in.Cwd})
		c.note(stepEnterRootfs, "hooks", "enter the rootfs", "")
		c.Fchdir(cwd)
		return
	}
	if in.Dir == "" || in.MayBeGone {
		c.Chdir("/")
	}
	if in.Dir == "" {
		return
	}
	c.note(stepEnterBundle, "hooks", "enter the bundle", in.Dir)
	op := c.Chdir(in.Dir)
	if in.MayBeGone {
		op.Allow(program.AnyError)
	}
}

// runtimeHooks waits until the runtime has run the hooks before the pivot.
func (c *compiler) runtimeHooks() {
	if BeforePivot(c.spec.Hooks) {
		c.showRoot()
		c.note(stepAwaitHooks, "hooks", "wait for the hooks", "")
		c.SendFD(c.socket, protocol.Sync(protocol.PointHooks).Encode(), c.root)
		c.receive(c.socket, c.reply, protocol.MessageSize)
	}
}

// startHooks waits until start has run the startContainer hooks.
func (c *compiler) startHooks() {
	if h := c.spec.Hooks; h != nil && len(h.StartContainer) > 0 {
		c.note(stepAwaitHooks, "hooks.startContainer", "wait for the hooks", "")
		c.sync(c.conn.Arg(), protocol.PointStart)
	}
}

// BeforePivot reports whether there are hooks that run while the container is created.
func BeforePivot(h *specs.Hooks) bool {
	//lint:ignore SA1019 deprecated is not gone: engines still use prestart
	return h != nil && len(h.Prestart)+len(h.CreateRuntime)+len(h.CreateContainer) > 0
}
