// What the Go runtime does for long-lived programs is of no use to a command: it need
// not keep an eye, and two descriptors, on its CPU limit, nor name its memory mappings.

//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
//go:debug decoratemappings=0

// Coracle is an OCI container runtime that takes the place of runc.
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

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

// version is the content of the file VERSION, which is the only place that has it.
//
//go:embed VERSION
var version string

// commit is set by the Makefile.
var commit = "unknown"

// name is the name of the program, of the directory in /run and of the line in
// --version.
const name = "coracle"

func main() {
	os.Exit(run(os.Args))
}

// run runs a command and returns the exit status. Results are on standard output,
// an error is one line in the log and the same text on standard error.
func run(args []string) int {
	app := newApp()
	err := app.Run(arrange(app, args))
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

// exitStatus is the status of a container's process, which becomes that of the
// command.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func newApp() *cli.App {
	cli.VersionPrinter = func(c *cli.Context) {
		fmt.Fprintf(c.App.Writer, "%s version %s\ncommit: %s\nspec: %s\ngo: %s\n", name, c.App.Version, commit, specs.Version, runtime.Version())
	}
	cli.FlagStringer = describeFlag(cli.FlagStringer)
	app := cli.NewApp()
	app.Name = name
	app.Usage = "create and run OCI containers"
	app.Description = "Coracle runs containers from OCI bundles: a directory with a config.json and a root\nfile system. \"coracle spec\" makes a config.json to start from."
	app.Version = strings.TrimSpace(version)
	app.HideHelpCommand = true
	app.Flags = []cli.Flag{
		directory(&cli.StringFlag{Name: "root", Usage: "keep the state of containers in `DIR`", DefaultText: defaultRoot()}),
		file(&cli.StringFlag{Name: "log", Usage: "write errors and warnings to `FILE`, or to the log of the system: syslog:NAME, journald:NAME"}),
		oneOf(&cli.StringFlag{Name: "log-format", Usage: "`FORMAT` of the log, text or json", Value: "text"}, "text", "json"),
		&cli.BoolFlag{Name: "debug", Usage: "log how long each phase takes"},
		&cli.BoolFlag{Name: "systemd-cgroup", Usage: "let systemd make the cgroups; linux.cgroupsPath has the form slice:prefix:name then"},
		oneOf(&cli.StringFlag{Name: "cgroup-manager", Usage: "`MANAGER` of the cgroups: cgroupfs, systemd or disabled", Value: "cgroupfs"}, "cgroupfs", "systemd", "disabled"),
		oneOf(&cli.StringFlag{Name: "rootless", Usage: "whether to do without cgroups that cannot be made: `MODE` true, false or auto", Value: "auto"}, "true", "false", "auto"),
		&cli.StringFlag{Name: "criu", Usage: "ignored; for callers that pass it", Hidden: true},
	}
	app.Commands = []*cli.Command{
		createCommand, deleteCommand, eventsCommand, execCommand, featuresCommand, killCommand, listCommand, pauseCommand, planCommand, psCommand, resumeCommand, runCommand,
		specCommand, startCommand, stateCommand, updateCommand, validateCommand,
	}
	app.Before = before
	// Errors are reported in one place and in one line, without a page of help.
	app.OnUsageError = func(c *cli.Context, err error, _ bool) error { return usageError(c, err) }
	named(app.Flags...)
	cli.HelpFlag, cli.VersionFlag = named(cli.HelpFlag)[0], named(cli.VersionFlag)[0]
	for _, c := range app.Commands {
		named(c.Flags...)
		if c.OnUsageError == nil {
			c.OnUsageError = app.OnUsageError
		}
		// "h" and "help" are ids like others.
		c.HideHelpCommand = true
	}
	// A value is one value, with its commas.
	app.DisableSliceFlagSeparator = true
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.CommandNotFound = nil
	app.Action = func(c *cli.Context) error {
		if c.Args().Present() {
			return unknownCommand(c)
		}
		return cli.ShowAppHelp(c)
	}
	return app
}

// missing are the commands of runc that are still to come.
var missing = []string{"checkpoint", "restore"}

// unknownCommand answers what is no command.
func unknownCommand(c *cli.Context) error {
	command := c.Args().First()
	switch {
	case command == "help":
		if command = c.Args().Get(1); command != "" {
			return cli.ShowCommandHelp(c, command)
		}
		return cli.ShowAppHelp(c)
	case slices.Contains(missing, command):
		return fmt.Errorf("the command %q is not supported by this version of coracle", command)
	}
	hint := fmt.Sprintf("see %s --help", name)
	if like := commandLike(c.App, command); like != "" {
		hint = fmt.Sprintf("did you mean %q?", like)
	}
	return fmt.Errorf("no such command: %q (%s)", command, hint)
}

// before sets up what all commands need. The log comes first: whatever goes wrong
// has to end up there.
func before(c *cli.Context) error {
	if err := openLog(c.String("log"), c.String("log-format"), c.Bool("debug")); err != nil {
		return err
	}
	if _, err := cgroupDriver(c); err != nil {
		return err
	}
	switch r := c.String("rootless"); r {
	case "true", "false", "auto":
	default:
		return fmt.Errorf("--rootless %q: true, false or auto is possible", r)
	}
	return nil
}

// defaultRoot is /run/coracle for root and in the user's runtime directory for others.
// Whoever is root of a user namespace may be such a user, unless they say that they are root.
func defaultRoot() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" || os.Geteuid() == 0 && (os.Getenv("USER") == "root" || !libcontainer.InUserNamespace()) {
		return "/run/" + name
	}
	return filepath.Join(dir, name)
}

// cgroupDriver is the driver for new containers.
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

// runtimeOf is the runtime that the global flags ask for.
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
	rt := &libcontainer.Runtime{Root: root, Exclusive: true, CgroupDriver: driver, NotifySocket: os.Getenv("NOTIFY_SOCKET"), Warn: warn, Remark: warn, Trace: tracer()}
	if mode := c.String("rootless"); mode != "auto" {
		rootless := mode == "true"
		rt.Rootless = &rootless
	}
	return rt, nil
}

// containerOf is the container that the only argument names, if there is one.
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
