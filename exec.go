package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"

	"coracle/internal/foreground"
	"coracle/libcontainer"
)

var execCommand = command{
	name:      "exec",
	usage:     "run another process in a container",
	arguments: []argument{{name: "ID", completes: containers}, {name: "COMMAND"}, {name: "ARG", optional: true, more: true}},
	passesOn:  true,
	description: "The process has the user, environment, capabilities and limits of the container's first\n" +
		"one, unless options or --process say otherwise. The exit status is that of the process,\n128 plus the number of the signal when a signal ended it, and 255 when exec itself fails.",
	flags: []flag{
		{name: "process", short: "p", placeholder: "FILE", usage: "read the process from the JSON in FILE", completes: files},
		{name: "cwd", placeholder: "DIR", usage: "working directory DIR", completes: directories},
		{name: "env", short: "e", placeholder: "NAME=VALUE", usage: "add the variable NAME=VALUE", repeatable: true},
		{name: "user", short: "u", placeholder: "UID[:GID]", usage: "run as UID[:GID], numbers"},
		{name: "additional-gids", short: "g", placeholder: "GID", usage: "add the group GID", repeatable: true},
		{name: "cap", short: "c", placeholder: "CAP", usage: "add the capability CAP", completes: capabilities, repeatable: true},
		{name: "no-new-privs", kind: toggle, usage: "set no_new_privs"},
		{name: "tty", short: "t", kind: toggle, usage: "give the process a terminal"},
		{name: "console-socket", placeholder: "PATH", usage: "send the terminal to the socket PATH", completes: files},
		{name: "detach", short: "d", kind: toggle, usage: "return when the process has been executed"},
		{name: "pid-file", placeholder: "FILE", usage: "write the process id to FILE", completes: files},
		{name: "pidfd-socket", placeholder: "PATH", usage: "send a pidfd of the process to the socket PATH", completes: files},
		{name: "preserve-fds", kind: number, placeholder: "N", usage: "pass on N more file descriptors, from 3 on"},
		{name: "ignore-paused", kind: toggle, usage: "run in a paused container too"},
		{name: "follow-init", kind: toggle, usage: "go where the first process is when it has left the namespaces or the root of the container"},
		{name: "cgroup", placeholder: "PATH", usage: "run in the cgroup PATH below the container's; CONTROLLER:PATH on cgroup v1", repeatable: true},
		{name: "process-label", placeholder: "LABEL", usage: "SELinux LABEL of the process"},
		{name: "apparmor", placeholder: "PROFILE", usage: "AppArmor PROFILE of the process"},
	},
	failure: func(err error) error { return &execError{err} },
	run: func(c *cli.Context) error {
		status, err := execute(c)
		if err != nil {
			return &execError{err}
		}
		if status != 0 {
			return exitStatus(status)
		}
		return nil
	},
}

// execError is a failure of exec itself. Its exit status has to differ from the usual ones of
// processes.
type execError struct{ error }

func (e *execError) Unwrap() error { return e.error }

func execute(c *cli.Context) (status int, err error) {
	if c.NArg() < 1 {
		return 0, checkArgs(c, 1, 1)
	}
	rt, err := runtimeOf(c)
	if err != nil {
		return 0, err
	}
	rt.Remark = remarkToPerson
	container := rt.Container(c.Args().First())
	process, err := processOf(c, container)
	if err != nil {
		return 0, err
	}
	options := libcontainer.ExecOptions{
		Process:       process,
		ConsoleSocket: c.String("console-socket"),
		PidFile:       c.String("pid-file"),
		PidfdSocket:   c.String("pidfd-socket"),
		Cgroups:       repeated(c, "cgroup"),
		PreserveFDs:   preservedFDs(c),
		FollowInit:    c.Bool("follow-init"),
		IgnorePaused:  c.Bool("ignore-paused"),
	}
	if c.Bool("detach") {
		_, err := container.Exec(c.Context, options)
		return 0, err
	}
	return foreground.Exec(c.Context, container, options)
}

// processOf returns the process from a file, or from the container's process and the options.
func processOf(c *cli.Context, container *libcontainer.Container) (*specs.Process, error) {
	command := c.Args().Tail()
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if path := c.String("process"); path != "" {
		if len(command) > 0 {
			return nil, errors.New("exec: a command and --process exclude each other")
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("process: %w", err)
		}
		p, err := container.DecodeProcess(raw)
		if err != nil {
			return nil, fmt.Errorf("process %s: %w", path, err)
		}
		if c.Bool("tty") {
			p.Terminal = true
		}
		return p, nil
	}
	if len(command) == 0 {
		return nil, errors.New("exec: no command is given, neither as arguments nor with --process")
	}
	p, err := container.ProcessTemplate()
	if err != nil {
		return nil, err
	}
	p.Args = command
	p.Terminal = c.Bool("tty")
	if d := c.String("cwd"); d != "" {
		p.Cwd = d
	}
	// If a variable occurs twice, the last one wins.
	p.Env = append(slices.Clone(p.Env), repeated(c, "env")...)
	if c.IsSet("no-new-privs") {
		p.NoNewPrivileges = c.Bool("no-new-privs")
	}
	if l := c.String("process-label"); l != "" {
		p.SelinuxLabel = l
	}
	if a := c.String("apparmor"); a != "" {
		p.ApparmorProfile = a
	}
	if c.IsSet("user") {
		if err := parseUser(c.String("user"), &p.User); err != nil {
			return nil, err
		}
	}
	for _, g := range repeated(c, "additional-gids") {
		gid, err := parseID(g)
		if err != nil {
			return nil, fmt.Errorf("--additional-gids %q: %w", g, err)
		}
		p.User.AdditionalGids = append(p.User.AdditionalGids, gid)
	}
	if added := repeated(c, "cap"); len(added) > 0 {
		container.AddCapabilities(p, added)
	}
	return p, nil
}

// parseUser parses UID or UID:GID into a user, and leaves other fields unchanged. Names are never
// looked up: /etc/passwd belongs to the image, which must not choose the user (CVE-2016-3697).
func parseUser(s string, user *specs.User) error {
	uid, gid, hasGroup := strings.Cut(s, ":")
	parsed := *user
	var err error
	if parsed.UID, err = parseID(uid); err == nil && hasGroup {
		parsed.GID, err = parseID(gid)
	}
	if err != nil {
		return fmt.Errorf("--user %q: %w", s, err)
	}
	*user = parsed
	return nil
}

// parseID parses a user or group id.
func parseID(s string) (uint32, error) {
	id, err := strconv.ParseUint(s, 10, 32)
	if err != nil || id == 1<<32-1 || strconv.FormatUint(id, 10) != s {
		return 0, fmt.Errorf("%q is not a number from 0 to %d", s, uint32(1<<32-2))
	}
	return uint32(id), nil
}
