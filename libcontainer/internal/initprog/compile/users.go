package compile

import (
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// users is the kind of user namespace that a container has.
type users int

const (
	// hostUsers is the runtime's own user namespace.
	hostUsers users = iota
	// newUsers is a new user namespace, without other processes.
	newUsers
	// joinedUsers is a user namespace that other processes are in.
	joinedUsers
)

// usersOf returns the kind for a container that is being created.
func usersOf(s *specs.Spec, h Host) users {
	ns := oci.Namespace(s, specs.UserNamespace)
	switch {
	case ns == nil:
		return hostUsers
	case ns.Path == "":
		return newUsers
	case h.Shared != nil && h.Shared(ns.Path, specs.UserNamespace):
		// A process cannot join the user namespace that it is in.
		return hostUsers
	}
	return joinedUsers
}

// usersOfRunning is usersOf for a running container.
func usersOfRunning(s *specs.Spec) users {
	if oci.Namespace(s, specs.UserNamespace) == nil {
		return hostUsers
	}
	return joinedUsers
}

// privileged reports whether the program has all privileges over its namespaces, whatever
// privileges the runtime has.
func (c *compiler) privileged() bool { return c.users != hostUsers }

// inUserNamespace reports whether the program ends up outside of the initial user namespace. Not
// all ids exist there.
func (c *compiler) inUserNamespace() bool { return c.privileged() || c.in.Host.Nested }

// mappings returns the mappings of the container's user namespace: those of the configuration or,
// if a namespace is joined and the configuration has none, those of that namespace. They are
// empty when they are unknown.
func (c *compiler) mappings() (uids, gids bundle.IDMap) {
	l := c.spec.Linux
	if len(l.UIDMappings) > 0 && len(l.GIDMappings) > 0 {
		return l.UIDMappings, l.GIDMappings
	}
	if !c.mapsAsked && c.in.Host.Mappings != nil {
		c.uids, c.gids = c.in.Host.Mappings()
	}
	c.mapsAsked = true
	return c.uids, c.gids
}

// makeUsers makes a new user namespace. The runtime writes its mappings.
func (c *compiler) makeUsers() {
	c.note(stepUserNamespace, "linux.namespaces", "make the user namespace", "")
	c.Unshare(unix.CLONE_NEWUSER)
	c.note(stepAwaitIDMaps, "linux.uidMappings", "wait for the mappings of ids", "")
	c.sync(c.socket, protocol.PointIDMaps)
	c.takeIDs()
	c.show()
}

// hides reports whether a program that makes a user namespace stays non-dumpable.
//
// The kernel identifies the creator of a user namespace by uid, and the creator has all
// capabilities over it. Root in another container without a user namespace has the same uid,
// without any capability of its own. It could reach the init through a shared pid namespace, or
// the host's, while the init still has the host's root directory. Being non-dumpable blocks this.
// It would also block a runtime without privileges, which needs no protection: only a process
// with all privileges of the runtime can be the creator there.
func (c *compiler) hides() bool {
	return c.users == newUsers && c.in.Host.can(unix.CAP_SYS_PTRACE, unix.CAP_DAC_OVERRIDE)
}

// show makes a program in a new user namespace dumpable, if it may be. A change of ids has made
// it non-dumpable, and then its files in /proc belong to the host's superuser.
func (c *compiler) show() {
	if c.users != newUsers || c.hides() {
		return
	}
	c.note(stepShow, "linux.namespaces", "let the runtime look after the process", "")
	c.Prctl(unix.PR_SET_DUMPABLE, program.Int(1))
}

// takeIDs makes the process root of a user namespace that it has just entered. Before that its
// ids are not mapped, so it cannot create files in the container.
func (c *compiler) takeIDs() {
	take := func(pointer, kind string, set func(uint32) program.Op) {
		n := program.Note{Step: stepTakeID, What: "take the " + kind + " id", Object: "0", Property: pointer}
		c.Describe(n)
		c.explainUnmapped("the container's " + kind + " id 0")
		set(0)
	}
	take("linux.gidMappings", "group", c.Setresgid)
	take("linux.uidMappings", "user", c.Setresuid)
	// The change of ids has cleared this.
	c.Prctl(unix.PR_SET_PDEATHSIG, program.Int(unix.SIGKILL))
}

// explainUnmapped adds to the note of the next ops what EINVAL means when only an id can be
// wrong. The mappings are not always known: those of a joined namespace need not be in the
// configuration.
func (c *compiler) explainUnmapped(id string) {
	if !c.inUserNamespace() {
		return
	}
	n := *c.Describe(program.Note{})
	subject := n
	n.Explain = func(e syscall.Errno) string {
		switch {
		case e == unix.EINVAL:
			return subject.Subject() + ": " + id + " is not mapped in the user namespace"
		case subject.Explain != nil:
			return subject.Explain(e)
		}
		return ""
	}
	c.Describe(n)
}

// setGroups sets the additional groups, even if there are none, because the caller's must not
// stay. They stay only in a user namespace that was made without privileges: dropping a group
// there could give access to files that are closed to its members (user_namespaces(7),
// /proc/PID/setgroups). An annotation can also keep the caller's groups, which give a user
// without privileges access to files of the host that the user already has.
func (c *compiler) setGroups() {
	if bundle.KeepsGroups(c.spec) {
		return
	}
	gids := c.spec.Process.User.AdditionalGids
	c.Describe(program.Note{Step: stepGroups, What: "set the additional groups", Property: "process.user.additionalGids", Explain: func(e syscall.Errno) string {
		if e != unix.EPERM || !c.privileged() {
			return ""
		}
		return "set the additional groups (process.user.additionalGids): the user namespace does not allow it: it was made without privileges (see setgroups in user_namespaces(7))"
	}})
	c.explainUnmapped("one of them")
	op := c.Setgroups(gids)
	if len(gids) == 0 && (c.users == joinedUsers || c.in.Host.Nested || c.users == newUsers && !c.in.Host.can(unix.CAP_SETGID)) {
		op.Allow(unix.EPERM)
	}
}
