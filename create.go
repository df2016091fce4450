package main

import (
	"os"
	"strconv"

	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

// bundleFlags are the flags of commands that read a bundle.
var bundleFlags = []flag{
	{name: "bundle", short: "b", placeholder: "DIR", usage: "the bundle is in DIR", completes: directories, otherwise: currentDirectory},
	{name: "config", short: "f", placeholder: "FILE", usage: "the configuration is in FILE", completes: files, otherwise: configOfBundle},
}

// createFlags are the flags of create, and of other commands that create a container.
var createFlags = []flag{
	{name: "console-socket", placeholder: "PATH", usage: "send the terminal to the socket PATH", completes: files},
	{name: "pid-file", placeholder: "FILE", usage: "write the process id to FILE", completes: files},
	{name: "pidfd-socket", placeholder: "PATH", usage: "send a pidfd of the process to the socket PATH", completes: files},
	{name: "no-pivot", kind: toggle, usage: "do not use pivot_root(2), for hosts whose root is a ramdisk; less safe"},
	{name: "no-new-keyring", kind: toggle, usage: "do not make a session keyring for the container"},
	{name: "preserve-fds", kind: number, placeholder: "N", usage: "pass on N more file descriptors, from 3 on"},
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

// listenFDs returns the number of descriptors that a service manager has passed to this process
// (sd_listen_fds(3)).
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

// maxDescriptors limits how many descriptors are passed on. No process has more.
const maxDescriptors = 1 << 20

// preservedFDs returns the number of descriptors to pass on.
func preservedFDs(c *cli.Context) int {
	return int(min(c.Uint("preserve-fds"), maxDescriptors))
}

var createCommand = command{
	name:        "create",
	usage:       "create a container",
	arguments:   newID,
	description: "Builds a container from a bundle. Its process waits until \"coracle start\".",
	shared:      [][]flag{bundleFlags, createFlags},
	run: func(c *cli.Context) error {
		if err := checkArgs(c, 1, 1); err != nil {
			return err
		}
		rt, err := runtimeOf(c)
		if err != nil {
			return err
		}
		rt.Remark = remarkToPerson
		options := createOptions(c)
		options.Notify = notifySocket() != ""
		_, err = rt.Create(c.Context, c.Args().First(), options)
		return err
	},
}
