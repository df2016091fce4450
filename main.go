// Features of the Go runtime for long-lived programs are useless in a command: watching its CPU
// limit, which needs two descriptors, and naming its memory mappings.

//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
//go:debug decoratemappings=0

// Coracle is an OCI container runtime and a drop-in replacement for runc.
//
// Each command is a file of this package that turns flags into one call of
// package libcontainer and its result into output.
package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"

	_ "coracle/internal/early"
	"coracle/internal/early/monitor"
	"coracle/libcontainer"
)

// version is the content of the file VERSION.
//
//go:embed VERSION
var version string

// commit is set by the Makefile.
var commit = "unknown"

// name is the name of the program, of the directory in /run and in the output of --version.
const name = "coracle"

// Texts for the help and the manual page.
const (
	usage       = "create and run OCI containers"
	description = "Coracle runs containers from OCI bundles: a directory with a config.json and a root\nfile system. \"coracle spec\" makes a config.json to start from."
)

func main() {
	os.Exit(run(os.Args))
}

// run runs a command and returns the exit status. Results go to standard output. An error is one
// line in the log and the same text on standard error.
func run(args []string) int {
	errorsAsJSON = wantsJSON(args)
	called, args := arrange(args)
	err := newApp(called).Run(args)
	var exit exitStatus
	switch {
	case err == nil:
		flushWarnings()
		return 0
	case errors.As(err, &exit):
		flushWarnings()
		return int(exit)
	}
	reportError(err)
	var failed *execError
	if errors.As(err, &failed) {
		return 255
	}
	return 1
}

// exitStatus is the status of a container's process, which becomes the command's.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// globalFlags come before the command.
var globalFlags = []flag{
	{name: "root", placeholder: "DIR", usage: "keep the state of containers in DIR", completes: directories, otherwise: defaultRoot},
	{name: "log", placeholder: "FILE", usage: "write errors and warnings to FILE, or to the log of the system: syslog:NAME, journald:NAME", completes: files},
	{name: "log-format", placeholder: "FORMAT", usage: "format of the log", choices: []string{"text", "json"}, def: "text"},
	{name: "error-format", placeholder: "FORMAT", usage: "format of errors and warnings on standard error", choices: []string{"text", "json"}, def: "text"},
	{name: "debug", kind: toggle, usage: "log how long each phase takes"},
	{name: "systemd-cgroup", kind: toggle, usage: "use the systemd cgroup driver; linux.cgroupsPath must have the form slice:prefix:name"},
	{name: "cgroup-manager", placeholder: "MANAGER", usage: "cgroup driver", choices: []string{"cgroupfs", "systemd", "disabled"}, def: "cgroupfs"},
	{name: "rootless", placeholder: "MODE", usage: "ignore missing permission to create cgroups", choices: []string{"true", "false", "auto"}, def: "auto"},
	{name: "criu", placeholder: "PATH", usage: "ignored; for callers that pass it", completes: files, hidden: true},
}

// newApp returns the program for a command line that calls a command; nil means no command.
func newApp(called *command) *cli.App {
	cli.VersionPrinter = func(c *cli.Context) {
		fmt.Fprintf(c.App.Writer, "%s version %s\ncommit: %s\nspec: %s\ngo: %s\n", name, c.App.Version, commit, specs.Version, runtime.Version())
	}
	own := used([]flag{helpFlag, versionFlag})
	cli.HelpFlag, cli.VersionFlag = own[0], own[1]
	app := &cli.App{
		Name:            name,
		Usage:           usage,
		Description:     description,
		Version:         strings.TrimSpace(version),
		Compiled:        time.Unix(0, 0), // otherwise urfave/cli reads the time of the program's file
		HideHelpCommand: true,
		Flags:           used(globalFlags),
		Before:          before,
		OnUsageError:    func(c *cli.Context, err error, _ bool) error { return usageError(c, err) },
		ExitErrHandler:  func(*cli.Context, error) {},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return unknownCommand(c)
			}
			return cli.ShowAppHelp(c)
		},
	}
	if called != nil {
		app.Commands = []*cli.Command{called.cli()}
		return app
	}
	for _, c := range commands {
		app.Commands = append(app.Commands, c.listed())
	}
	return app
}

// missing are the commands of runc that are still to come.
var missing = []string{"checkpoint", "restore"}

// unknownCommand answers what is no command.
func unknownCommand(c *cli.Context) error {
	command := c.Args().First()
	if command == "help" {
		// For a known command, arrange has made "COMMAND --help".
		if command = c.Args().Get(1); command == "" {
			return cli.ShowAppHelp(c)
		}
	}
	if slices.Contains(missing, command) {
		return fmt.Errorf("the command %q is not supported by this version of coracle", command)
	}
	hint := fmt.Sprintf("see %s --help", name)
	if like := commandLike(command); like != "" {
		hint = fmt.Sprintf("did you mean %q?", like)
	}
	return fmt.Errorf("no such command: %q (%s)", command, hint)
}

// before sets up what all commands need. The log comes first, because all errors have to go
// there.
func before(c *cli.Context) error {
	if err := openLog(c.String("log"), c.String("log-format"), c.Bool("debug")); err != nil {
		return err
	}
	if err := checkFlags(c); err != nil {
		return err
	}
	_, err := cgroupDriver(c)
	return err
}

// defaultRoot returns /run/coracle for root, and a directory in the user's runtime directory for
// others. Root in a user namespace may be such a user, unless it says that it is root.
func defaultRoot() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" || os.Geteuid() == 0 && (os.Getenv("USER") == "root" || !libcontainer.InUserNamespace()) {
		return "/run/" + name
	}
	return filepath.Join(dir, name)
}

// cgroupDriver returns the driver for new containers.
func cgroupDriver(c *cli.Context) (libcontainer.CgroupDriver, error) {
	d, err := libcontainer.ParseCgroupDriver(c.String("cgroup-manager"))
	switch {
	case err != nil:
		return "", fmt.Errorf("--cgroup-manager: %w", err)
	case !c.Bool("systemd-cgroup"):
		return d, nil
	case d != libcontainer.CgroupSystemd && c.IsSet("cgroup-manager"):
		return "", fmt.Errorf("--systemd-cgroup and --cgroup-manager %s contradict each other", d)
	}
	return libcontainer.CgroupSystemd, nil
}

// runtimeOf returns the runtime for the global flags.
func runtimeOf(c *cli.Context) (*libcontainer.Runtime, error) {
	root := c.String("root")
	if root == "" {
		root = defaultRoot()
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	driver, err := cgroupDriver(c)
	if err != nil {
		return nil, err
	}
	rt := &libcontainer.Runtime{Root: root, Exclusive: true, CgroupDriver: driver, TimerSlack: monitor.Slack, Warn: warn, Remark: warn, Trace: tracer()}
	if mode := c.String("rootless"); mode != "auto" {
		rootless := mode == "true"
		rt.Rootless = &rootless
	}
	return rt, nil
}

// notifySocket returns the address of the service manager to notify when a container is ready
// (sd_notify(3)).
func notifySocket() string { return os.Getenv("NOTIFY_SOCKET") }

// runtimeAlone returns the runtime for a command without arguments.
func runtimeAlone(c *cli.Context) (*libcontainer.Runtime, error) {
	if err := checkArgs(c, 0, 0); err != nil {
		return nil, err
	}
	return runtimeOf(c)
}

// containerOf returns the container that the only argument names.
func containerOf(c *cli.Context) (*libcontainer.Container, error) {
	if err := checkArgs(c, 1, 1); err != nil {
		return nil, err
	}
	rt, err := runtimeOf(c)
	if err != nil {
		return nil, err
	}
	return rt.Container(c.Args().First()), nil
}

// checkArgs checks the number of arguments.
func checkArgs(c *cli.Context, least, most int) error {
	if n := c.NArg(); n < least || n > most {
		usage := strings.TrimSpace(name + " " + c.Command.Name + " " + c.Command.ArgsUsage)
		return fmt.Errorf("%s %s: wrong number of arguments: usage: %s", name, c.Command.Name, usage)
	}
	return nil
}
