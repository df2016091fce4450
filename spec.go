package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

var specCommand = command{
	name:        "spec",
	usage:       "write a config.json to start from",
	description: "The configuration runs sh with a terminal in the directory rootfs of the bundle.",
	flags: []flag{
		{name: "bundle", short: "b", placeholder: "DIR", usage: "write it into DIR", completes: directories, otherwise: currentDirectory},
		{name: "config", short: "f", aliases: []string{"file"}, placeholder: "FILE", usage: "write it to FILE", completes: files, otherwise: configOfBundle},
		{name: "rootless", kind: toggle, usage: "for a container that is run without privileges"},
	},
	run: func(c *cli.Context) error {
		if err := checkArgs(c, 0, 0); err != nil {
			return err
		}
		if c.IsSet("config") && c.IsSet("bundle") {
			return errors.New("spec: --bundle and --config exclude each other")
		}
		spec := libcontainer.DefaultSpec()
		if c.Bool("rootless") {
			spec = libcontainer.RootlessSpec()
		}
		path := cmp.Or(c.String("config"), filepath.Join(c.String("bundle"), libcontainer.ConfigName))
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s exists already; it is not overwritten", path)
		}
		if err != nil {
			return err
		}
		err = writeJSON(f, spec)
		return errors.Join(err, f.Close())
	},
}
