package main

import (
	"os"
	"strconv"

	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

// createFlags are those of create and of commands that create on the way.
func createFlags() []cli.Flag {
	return []cli.Flag{
		directory(&cli.StringFlag{Name: "bundle", Aliases: []string{"b"}, Usage: "the bundle is in `DIR`", DefaultText: "the current directory"}),
		configFlag("the configuration is in `FILE`"),
		file(&cli.StringFlag{Name: "console-socket", Usage: "send the terminal to the socket `PATH`"}),
		file(&cli.StringFlag{Name: "pid-file", Usage: "write the process id to `FILE`"}),
		file(&cli.StringFlag{Name: "pidfd-socket", Usage: "send a pidfd of the process to the socket `PATH`"}),
		&cli.BoolFlag{Name: "no-pivot", Usage: "do not use pivot_root(2), for hosts whose root is a ramdisk; less safe"},
		&cli.BoolFlag{Name: "no-new-keyring", Usage: "do not make a session keyring for the container"},
		&cli.UintFlag{Name: "preserve-fds", Usage: "pass on `N` more file descriptors, from 3 on"},
	}
}

// configFlag is a flag for a configuration that is not the config.json of the bundle.
func configFlag(usage string) cli.Flag {
	return file(&cli.StringFlag{Name: "config", Aliases: []string{"f"}, Usage: usage, DefaultText: "config.json of the bundle"})
}

func createOptions(c *cli.Context) libcontainer.CreateOptions {
	return libcontainer.CreateOptions{
		Bundle:        c.String("bundle"),
		Config:        c.String("config"),
		ConsoleSocket: c.String("console-socket"),
		PidFile:       c.String("pid-file"),
		PidfdSocket:   c.String("pidfd-socket"),
		NoPivot:       c.Bool("no-pivot"),
		NoNewKeyring:  c.Bool("no-new-keyring"),
		PreserveFDs:   preservedFDs(c),
		ListenFDs:     listenFDs(),
		ListenFDNames: os.Getenv("LISTEN_FDNAMES"),
	}
}

// listenFDs is the number of descriptors that a service manager has passed to this very
// process (sd_listen_fds(3)).
func listenFDs() int {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return 0
	}
	n, err := strconv.ParseUint(os.Getenv("LISTEN_FDS"), 10, 32)
	if err != nil {
		return 0
	}
	return int(min(n, maxDescriptors))
}

// maxDescriptors bounds how many descriptors are passed on. No process has more.
const maxDescriptors = 1 << 20

// preservedFDs is the number of descriptors to pass on.
func preservedFDs(c *cli.Context) int {
	return int(min(c.Uint("preserve-fds"), maxDescriptors))
}

var createCommand = &cli.Command{
	Name:        "create",
	Usage:       "create a container",
	ArgsUsage:   "ID",
	Description: "Builds a container from a bundle. Its process waits until \"coracle start\".",
	Flags:       createFlags(),
	Action: func(c *cli.Context) error {
		if err := checkArgs(c, 1, 1); err != nil {
			return err
		}
		rt, err := runtimeOf(c)
		if err != nil {
			return err
		}
		rt.TimerSlack = slowMonitor()
		rt.Remark = remarkToPerson
		_, err = rt.Create(c.Args().First(), createOptions(c))
		return err
	},
}
