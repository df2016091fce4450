package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/host/idmap"
	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/host/trial"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/initprog/seccomp"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// hostCheck finds what cannot work on this host, for this user, in a valid configuration. It
// tries what has no side effects, and otherwise only looks. What is known only in a container is
// left to create: the content of the image, and what hooks do.
type hostCheck struct {
	runtime            *Runtime
	bundle             *bundle.Bundle
	spec               *specs.Spec
	problems, warnings []bundle.Problem
}

// bad adds an error about a property; nil adds nothing.
func (c *hostCheck) bad(pointer string, err error) {
	if err != nil {
		c.problems = append(c.problems, problemOf(pointer, err))
	}
}

func (c *hostCheck) run() {
	c.bad("linux.namespaces", c.runtime.checkPrivileges(c.spec))
	c.labels()
	_, err := intelRdt(c.spec, checkID)
	c.bad("linux.intelRdt", err)
	c.program(c.cgroups())
	c.userNamespace()
	c.threads()
	c.filesystems()
	c.process()
	c.filter()
	c.hooks()
	if c.spec.Linux == nil {
		return
	}
	c.netDevices()
	for clock, offset := range c.spec.Linux.TimeOffsets {
		c.bad("linux.timeOffsets."+clock, trial.TimeOffset(clock, offset))
	}
}

// netDevices checks the devices, and their names in a new namespace, which has some devices
// already.
func (c *hostCheck) netDevices() {
	const loopback = "lo"
	for name, d := range c.spec.Linux.NetDevices {
		pointer := fmt.Sprintf("linux.netDevices[%q]", name)
		switch {
		case name == loopback:
			c.bad(pointer, errors.New("the loopback device cannot leave its network namespace"))
		case !trial.NetDevice(name):
			c.bad(pointer, errors.New("there is no such device on the host"))
		case bundle.NetDeviceName(name, d) == loopback && oci.HasNew(c.spec, specs.NetworkNamespace):
			c.bad(pointer, errors.New("the network namespace of the container has a device \"lo\" already"))
		}
	}
}

// labels checks the labels of SELinux.
func (c *hostCheck) labels() {
	if p := c.spec.Process; p != nil && p.SelinuxLabel != "" {
		c.bad("process.selinuxLabel", checkLabel("process.selinuxLabel", p.SelinuxLabel))
	}
	if l := c.spec.Linux; l != nil && l.MountLabel != "" {
		c.bad("linux.mountLabel", checkLabel("linux.mountLabel", l.MountLabel))
	}
}

// cgroups checks the container's cgroup path and limits.
func (c *hostCheck) cgroups() *cgroup.Manager {
	group, err := cgroup.New(c.spec, checkID, c.runtime.CgroupDriver)
	if err != nil {
		c.bad("linux.cgroupsPath", err)
		return nil
	}
	if c.runtime.rootless() {
		if _, err := group.Forgo(c.spec); err != nil {
			c.bad("linux.resources", err)
			return group
		}
	}
	var resources *specs.LinuxResources
	named := false
	if l := c.spec.Linux; l != nil {
		resources, named = l.Resources, l.CgroupsPath != ""
	}
	c.problems = append(c.problems, group.CheckHost(resources, named)...)
	return group
}

// program compiles the init program for this host, and opens its sources: trees, namespaces, id
// mappings. It closes all of them at once.
func (c *hostCheck) program(group *cgroup.Manager) {
	out, problems := compile.Check(compile.Input{Bundle: c.bundle, ID: checkID, Host: c.runtime.host(c.spec, group, false)})
	c.problems = append(c.problems, problems...)
	c.warnings = append(append(c.warnings, out.Warnings...), out.Remarks...)
	// There can be too many trees to keep all open, and only the program needs them.
	others := make(map[int]int)
	opened := func(number int) int { return others[number] }
	for first, list := range [][]source.Source{out.Sources, out.Later} {
		number := [...]int{out.SourceFD, protocol.LaterSource}[first]
		for i, s := range list {
			fd, err := c.open(s, opened)
			if err != nil {
				c.bad(pointerOf(s), err)
				fd = -1
			}
			if _, tree := s.(source.Tree); tree {
				fd := linux.NewFD(fd)
				fd.Close()
			} else {
				others[number+i] = fd
			}
		}
	}
	for _, n := range others {
		fd := linux.NewFD(n)
		fd.Close()
	}
}

// open opens a source as create does.
func (c *hostCheck) open(s source.Source, opened source.Opened) (int, error) {
	t, ok := s.(source.Tree)
	if !ok {
		return s.Open(opened)
	}
	if slices.ContainsFunc(t.Attrs, func(a source.Attr) bool { return a.IDMap != 0 && opened(a.IDMap) < 0 }) {
		return -1, nil // the missing mapping is reported already
	}
	fd, err := t.Open(opened)
	if errors.Is(err, unix.ELOOP) {
		return t.OpenApart(opened)
	}
	return fd, err
}

// pointerOf returns the property that needs a source.
func pointerOf(s source.Source) string {
	switch s := s.(type) {
	case source.Tree:
		return s.Property
	case source.Namespace:
		return s.Property
	case source.IDMap:
		return s.Property
	case source.Dir:
		return "root.path"
	}
	return ""
}

// joinedUsers looks for the ids of root, and of the process, in a user namespace that is joined.
func (c *hostCheck) joinedUsers() {
	ns := oci.Namespace(c.spec, specs.UserNamespace)
	if ns == nil || shared(ns.Path, specs.UserNamespace) {
		return
	}
	uids, gids := mappingsOf(c.spec)()
	if len(uids)+len(gids) == 0 {
		return // nobody knows
	}
	const where = "in the user namespace that is joined"
	for _, m := range []struct {
		pointer, kind string
		ids           bundle.IDMap
	}{{"linux.uidMappings", "user", uids}, {"linux.gidMappings", "group", gids}} {
		if _, ok := m.ids.ToHost(0); !ok {
			c.problems = append(c.problems, bundle.About(m.pointer, "the container's %s id 0, which every container needs, is not mapped %s", m.kind, where))
		}
	}
	if c.spec.Process != nil {
		c.problems = append(c.problems, bundle.UnmappedUser(c.spec.Process, uids, gids, where, where)...)
	}
}

// userNamespace creates a user namespace with the mappings, and closes it.
func (c *hostCheck) userNamespace() {
	if !oci.HasNew(c.spec, specs.UserNamespace) {
		c.joinedUsers()
		return
	}
	l := c.spec.Linux
	privileged := bundle.HasCapabilities(ownCapabilities(), unix.CAP_SETUID, unix.CAP_SETGID)
	var failed error
	if err := launch.HoldUserNamespace(privileged, func(pid int) error {
		failed = idmap.Write(pid, l.UIDMappings, l.GIDMappings, privileged, nil)
		return nil
	}); err != nil {
		c.bad("linux.namespaces", fmt.Errorf("a new user namespace cannot be made: %w", err))
	}
	pointer := "linux.uidMappings"
	if failed != nil && strings.Contains(failed.Error(), "(linux.gidMappings)") {
		pointer = "linux.gidMappings"
	}
	c.bad(pointer, failed)
}

// threads tries what the kernel allows a thread.
func (c *hostCheck) threads() {
	l := c.spec.Linux
	if l == nil {
		return
	}
	trial.Run(func(t *trial.Thread) {
		users := oci.Namespace(c.spec, specs.UserNamespace) != nil
		may := bundle.HasCapabilities(ownCapabilities(), unix.CAP_SYS_ADMIN)
		for i, ns := range l.Namespaces {
			if ns.Path == "" && ns.Type != specs.UserNamespace && (may || !users) {
				c.bad(fmt.Sprintf("linux.namespaces[%d]", i), t.Namespace(ns.Type))
			}
		}
		for _, key := range bundle.SysctlKeys(c.spec) {
			path, err := bundle.SysctlPath(key)
			if err != nil {
				continue
			}
			if ns, err := bundle.SysctlNamespace(path); err == nil && may {
				c.bad(fmt.Sprintf("linux.sysctl[%q]", key), t.Sysctl(path, l.Sysctl[key], ns))
			}
		}
		c.problems = append(c.problems, t.Attributes(c.spec)...)
	})
}

// filesystems checks the types and parameters of new file systems, and the files in /proc that
// mounts cover.
func (c *hostCheck) filesystems() {
	for i, m := range c.spec.Mounts {
		o, err := bundle.ParseMountOptions(m)
		if at := path.Clean("/" + m.Destination); bundle.AllowedInProc(at) && !o.Remount {
			//allow:path the host's /proc, which has the same files
			_, err := os.Stat(at)
			c.bad(fmt.Sprintf("mounts[%d].destination", i), err)
		}
		if err != nil || o.Bind || m.Type == "cgroup" {
			continue
		}
		pointer := fmt.Sprintf("mounts[%d]", i)
		if o.Remount {
			m.Type = c.mountedAt(m.Destination, i)
		} else {
			c.newFilesystem(pointer, m, o)
		}
		if m.Type == "" || m.Type == "overlay" || oci.Namespace(c.spec, specs.UserNamespace) != nil {
			continue // unknown, relative to the bundle, or ids of the container
		}
		for _, p := range trial.Options(m.Type, o.Params) {
			c.bad(pointer+".options", fmt.Errorf("the file system %q does not accept the option %q", m.Type, p))
		}
	}
}

// newFilesystem checks what a new file system needs.
func (c *hostCheck) newFilesystem(pointer string, m specs.Mount, o bundle.MountOptions) {
	c.bad(pointer+".type", trial.Filesystem(m.Type))
	c.bad(pointer, c.owned(m.Type))
	c.bad(pointer+".source", trial.Device(m.Type, m.Source))
	if m.Type != "overlay" {
		return
	}
	for _, dir := range compile.OverlayDirs(o.Params, c.bundle.Path) {
		//allow:path a directory of the host that the caller has named
		_, err := os.Stat(dir)
		c.bad(pointer+".options", err)
	}
}

// mountedAt returns the type of the new file system that an earlier entry of mounts makes at a
// destination, "" when there is none.
func (c *hostCheck) mountedAt(destination string, before int) string {
	for i := before - 1; i >= 0; i-- {
		m := c.spec.Mounts[i]
		if path.Clean("/"+m.Destination) != path.Clean("/"+destination) {
			continue
		}
		if o, err := bundle.ParseMountOptions(m); err == nil && !o.Remount {
			if o.Bind {
				return ""
			}
			return m.Type
		}
	}
	return ""
}

// owned returns an error when a file system that shows a namespace cannot be created in a new
// user namespace, because the namespace that it shows does not belong to it.
func (c *hostCheck) owned(fstype string) error {
	of := map[string]specs.LinuxNamespaceType{"sysfs": specs.NetworkNamespace, "proc": specs.PIDNamespace, "mqueue": specs.IPCNamespace}[fstype]
	if of == "" || !oci.HasNew(c.spec, specs.UserNamespace) {
		return nil
	}
	if ns := oci.Namespace(c.spec, of); ns != nil {
		return nil // a new one, or one whose owner is unknown
	}
	return fmt.Errorf("a new file system %q in a user namespace takes a %s namespace in linux.namespaces; a bind mount of the host's does not", fstype, of)
}

// process checks the attributes that the process gets from this one.
func (c *hostCheck) process() {
	p := c.spec.Process
	if p == nil {
		return
	}
	if p.ApparmorProfile != "" && p.ApparmorProfile != bundle.Unconfined {
		c.bad("process.apparmorProfile", trial.AppArmor(p.ApparmorProfile))
	}
	c.problems = append(c.problems, trial.Rlimits(p.Rlimits)...)
	if p.OOMScoreAdj != nil {
		c.bad("process.oomScoreAdj", trial.OOMScoreAdj(*p.OOMScoreAdj))
	}
}

// filter checks which parts of linux.seccomp the kernel supports.
func (c *hostCheck) filter() {
	if c.spec.Linux == nil || c.spec.Linux.Seccomp == nil || c.spec.Process == nil {
		return
	}
	const pointer = "linux.seccomp"
	s := c.spec.Linux.Seccomp
	unknown := func(pointer string, action specs.LinuxSeccompAction) {
		if !seccomp.ActionSupported(action) {
			c.bad(pointer, fmt.Errorf("this kernel does not know the action %s", action))
		}
	}
	unknown(pointer+".defaultAction", s.DefaultAction)
	for i, call := range s.Syscalls {
		unknown(fmt.Sprintf("%s.syscalls[%d].action", pointer, i), call.Action)
	}
	supported := seccomp.SupportedFlags()
	for i, f := range s.Flags {
		if !slices.Contains(supported, f) {
			c.bad(fmt.Sprintf("%s.flags[%d]", pointer, i), fmt.Errorf("this kernel does not know the flag %s", f))
		}
	}
	if s.ListenerPath == "" {
		return
	}
	//allow:path a socket of the host that the caller has named
	if _, err := os.Stat(s.ListenerPath); err != nil {
		c.warnings = append(c.warnings, bundle.Problem{Property: pointer + ".listenerPath", Text: "no agent listens there yet: " + err.Error()})
	}
}

// hooks checks the programs of those hooks that run on the host.
func (c *hostCheck) hooks() {
	h := c.spec.Hooks
	if h == nil {
		return
	}
	for _, kind := range []struct {
		name  string
		hooks []specs.Hook
		fatal bool
	}{
		//lint:ignore SA1019 deprecated is not gone: engines still use prestart
		{"prestart", h.Prestart, true},
		{"createRuntime", h.CreateRuntime, true}, {"createContainer", h.CreateContainer, true}, {"poststart", h.Poststart, false}, {"poststop", h.Poststop, false},
	} {
		for i, hook := range kind.hooks {
			//allow:path a program of the host that the caller has named
			err := unix.Access(hook.Path, unix.X_OK)
			if err == nil {
				continue
			}
			p := bundle.Problem{Property: fmt.Sprintf("hooks.%s[%d].path", kind.name, i), Text: fmt.Sprintf("execute %q: %v", hook.Path, err)}
			if kind.fatal {
				c.problems = append(c.problems, p)
			} else {
				c.warnings = append(c.warnings, p)
			}
		}
	}
}
