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

// users says whose ids and privileges the container has.
type users int

const (
	// hostUsers are those of the runtime's own user namespace.
	hostUsers users = iota
	// newUsers are those of a new user namespace. Nobody else is in it.
	newUsers
	// joinedUsers are those of a user namespace that others are in.
	joinedUsers
)

// usersOf finds out whose users a container has that is to be made.
func usersOf(s *specs.Spec, h Host) users {
	ns := oci.Namespace(s, specs.UserNamespace)
	switch {
	case ns == nil:
		return hostUsers
	case ns.Path == "":
		return newUsers
	case h.Shared != nil && h.Shared(ns.Path, specs.UserNamespace):
		// The kernel does not let a process join the namespace that it is in.
		return hostUsers
	}
	return joinedUsers
}

// usersOfRunning is usersOf for a container that runs already.
func usersOfRunning(s *specs.Spec) users {
	if oci.Namespace(s, specs.UserNamespace) == nil {
		return hostUsers
	}
	return joinedUsers
}

// privileged reports whether the program has all privileges over its namespaces, whatever
// those of the runtime are.
func (c *compiler) privileged() bool { return c.users != hostUsers }

// inUserNamespace reports whether the program is, in the end, in another user namespace than
// the first one of the system. Not all ids exist there.
func (c *compiler) inUserNamespace() bool { return c.privileged() || c.in.Host.Nested }

// mappings are those of the user namespace of the container: those of the configuration or,
// when a namespace is joined and none are told, those that it has. They are empty when nobody
// knows them.
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

// makeUsers makes a new user namespace. The runtime gives it its mappings.
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
// The kernel identifies the maker of a user namespace by uid, and the maker has all
// capabilities over it. Root in another container without a user namespace has that same uid,
// without a single capability of its own, and could reach the init through a pid namespace
// that both share, or through that of the host, while the init still has the root directory
// of the host. Being non-dumpable blocks this. It would also block a runtime without
// privileges, which needs no protection: to that, nobody can be the maker but who may do all
// that the runtime may.
func (c *compiler) hides() bool {
	return c.users == newUsers && c.in.Host.can(unix.CAP_SYS_PTRACE, unix.CAP_DAC_OVERRIDE)
}

// show makes a program in a new user namespace dumpable where it may be. A change of ids has
// taken that away, and its files in /proc belong to the superuser of the host then.
func (c *compiler) show() {
	if c.users != newUsers || c.hides() {
		return
	}
	c.note(stepShow, "linux.namespaces", "let the runtime look after the process", "")
	c.Prctl(unix.PR_SET_DUMPABLE, program.Int(1))
}

// takeIDs makes the process the superuser of a user namespace that it has just come into.
// Nobody, which it is until then, cannot make files in the container.
func (c *compiler) takeIDs() {
	take := func(pointer, kind string, set func(uint32) program.Op) {
		n := program.Note{Step: stepTakeID, What: "take the " + kind + " id", Object: "0", Property: pointer}
		c.Describe(n)
		c.explainUnmapped("the container's " + kind + " id 0")
		set(0)
	}
	take("linux.gidMappings", "group", c.Setresgid)
	take("linux.uidMappings", "user", c.Setresuid)
	// The change has taken this away.
	c.Prctl(unix.PR_SET_PDEATHSIG, program.Int(unix.SIGKILL))
}

// explainUnmapped adds to the note of the next ops what EINVAL means when an id is the only
// thing that can be wrong. The mappings are not always known before: those of a namespace that
// is joined need not be in the configuration.
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

// setGroups sets the additional groups: always, also to none, because the caller's must
// not stay. Only where a user namespace was made without privileges they have to: to
// drop a group there could give access to files that are closed to its members
// (user_namespaces(7), /proc/PID/setgroups). An annotation asks for the caller's: by them,
// a user without privileges has access to more files of the host, and they had that before.
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
