package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"

	"coracle/libcontainer"
)

var updateCommand = &cli.Command{
	Name:      "update",
	Usage:     "change limits of a running container",
	ArgsUsage: "ID",
	Description: "Only what is given changes; 0 stands for nothing given where it could not be meant, as for memory.\n" +
		"When a part fails, nothing changes.\n" +
		"Sizes are bytes, or have a unit: 64m, 1.5GiB; all units are powers of 1024.\n" +
		"With --resources the limits come as JSON, like linux.resources of a configuration.",
	Flags: []cli.Flag{
		file(&cli.StringFlag{Name: "resources", Aliases: []string{"r"}, Usage: "read the limits from the JSON in `FILE`, - for standard input"}),
		&cli.BoolFlag{Name: "devices", Usage: "replace the rules for devices, too, by those in the JSON"},
		&cli.StringFlag{Name: "memory", Usage: "limit of memory, `SIZE` or -1 for none"},
		&cli.StringFlag{Name: "memory-reservation", Usage: "soft limit of memory, `SIZE`"},
		&cli.StringFlag{Name: "memory-swap", Usage: "limit of memory and swap together, `SIZE` or -1 for none"},
		&cli.StringFlag{Name: "kernel-memory", Usage: "ignored with a warning: Linux has no such limit any more", Hidden: true},
		&cli.StringFlag{Name: "kernel-memory-tcp", Usage: "limit of the memory for TCP buffers (cgroup v1, where the kernel has it)", Hidden: true},
		&cli.StringFlag{Name: "cpu-share", Aliases: []string{"cpu-shares"}, Usage: "share of CPU time, relative to others, `N`"},
		&cli.StringFlag{Name: "cpu-quota", Usage: "CPU time in each period, `µS` or -1 for no limit"},
		&cli.StringFlag{Name: "cpu-period", Usage: "period of the quota, `µS`"},
		&cli.StringFlag{Name: "cpu-burst", Usage: "CPU time that may be saved up, `µS`"},
		&cli.StringFlag{Name: "cpu-idle", Usage: "1 to run only when nothing else does, 0 for the usual, `N`"},
		&cli.StringFlag{Name: "cpu-rt-runtime", Usage: "realtime CPU time in each period, `µS`"},
		&cli.StringFlag{Name: "cpu-rt-period", Usage: "period of the realtime CPU time, `µS`"},
		&cli.StringFlag{Name: "cpuset-cpus", Usage: "CPUs to run on, `LIST` like 0-3,7"},
		&cli.StringFlag{Name: "cpuset-mems", Usage: "memory nodes to use, `LIST`"},
		&cli.StringFlag{Name: "blkio-weight", Usage: "weight of disk access, `N` from 10 to 1000"},
		&cli.StringFlag{Name: "pids-limit", Usage: "most processes, `N` or -1 for no limit"},
		&cli.StringFlag{Name: "l3-cache-schema", Usage: "schema of the L3 cache, Intel RDT, `LINE`"},
		&cli.StringFlag{Name: "mem-bw-schema", Usage: "schema of the memory bandwidth, Intel RDT, `LINE`"},
	},
	Action: func(c *cli.Context) error {
		container, err := containerOf(c)
		if err != nil {
			return err
		}
		o, err := updateOptions(c)
		if err != nil {
			return err
		}
		return container.Update(o)
	},
}

func updateOptions(c *cli.Context) (o libcontainer.UpdateOptions, err error) {
	flags := c.LocalFlagNames()
	path := c.String("resources")
	switch {
	case path == "" && c.Bool("devices"):
		return o, errors.New("update: --devices needs --resources, which has the rules")
	case path == "":
		if len(flags) == 0 {
			return o, errors.New("update: nothing is given to change (see coracle update --help)")
		}
		return limitFlags(c)
	}
	for _, f := range flags {
		switch f {
		case "resources", "r", "devices":
		default:
			return o, fmt.Errorf("update: --resources and --%s exclude each other", f)
		}
	}
	o.Devices = c.Bool("devices")
	o.Resources, err = readResources(path, c.App.Reader)
	return o, err
}

// maxResources bounds the JSON, in bytes.
const maxResources = 16 << 20

// readResources reads limits from a file or, for "-", from standard input.
func readResources(path string, stdin io.Reader) (r specs.LinuxResources, err error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return r, fmt.Errorf("update: resources: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxResources+1))
	if err != nil {
		return r, fmt.Errorf("update: resources: %w", err)
	}
	if len(data) > maxResources {
		return r, fmt.Errorf("update: resources: more than %d bytes", maxResources)
	}
	resources, unknown, err := libcontainer.DecodeResources(data)
	if err != nil {
		return r, fmt.Errorf("update: resources: %w", err)
	}
	for _, u := range unknown {
		warn(fmt.Sprintf("update: resources: %v", u))
	}
	return *resources, nil
}

// limitFlags makes limits of the flags.
func limitFlags(c *cli.Context) (o libcontainer.UpdateOptions, err error) {
	var memory specs.LinuxMemory
	var cpu specs.LinuxCPU
	var failed error
	get := func(name string, parse func(string) error) bool {
		s := c.String(name)
		if !c.IsSet(name) || s == "" || failed != nil {
			return false
		}
		if err := parse(s); err != nil {
			failed = fmt.Errorf("--%s %q: %w", name, s, err)
		}
		return failed == nil
	}
	// In the order of the help: of two mistakes the first one is reported each time.
	number := func(name string, to **int64) {
		if get(name, func(s string) error { return into(to, s, parseInt) }) {
			o.Resources.CPU = &cpu
		}
	}
	positive := func(name string, to **uint64) {
		if get(name, func(s string) error { return into(to, s, parseUint) }) {
			o.Resources.CPU = &cpu
		}
	}
	text := func(name string, to *string) {
		if get(name, func(s string) error { *to = s; return nil }) {
			o.Resources.CPU = &cpu
		}
	}
	size := func(name string, to **int64) {
		if get(name, func(s string) error { return into(to, s, parseSize) }) {
			o.Resources.Memory = &memory
		}
	}
	size("memory", &memory.Limit)
	size("memory-reservation", &memory.Reservation)
	size("memory-swap", &memory.Swap)
	size("kernel-memory", &memory.Kernel) //lint:ignore SA1019 it is warned about
	size("kernel-memory-tcp", &memory.KernelTCP)
	positive("cpu-share", &cpu.Shares)
	number("cpu-quota", &cpu.Quota)
	positive("cpu-period", &cpu.Period)
	positive("cpu-burst", &cpu.Burst)
	number("cpu-idle", &cpu.Idle)
	number("cpu-rt-runtime", &cpu.RealtimeRuntime)
	positive("cpu-rt-period", &cpu.RealtimePeriod)
	text("cpuset-cpus", &cpu.Cpus)
	text("cpuset-mems", &cpu.Mems)
	get("blkio-weight", func(s string) error {
		weight, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return errNoNumber
		}
		w := uint16(weight)
		o.Resources.BlockIO = &specs.LinuxBlockIO{Weight: &w}
		return nil
	})
	get("pids-limit", func(s string) error {
		o.Resources.Pids = new(specs.LinuxPids)
		return into(&o.Resources.Pids.Limit, s, parseInt)
	})
	for _, name := range []string{"l3-cache-schema", "mem-bw-schema"} {
		get(name, func(s string) error {
			o.Schemata = append(o.Schemata, s)
			return nil
		})
	}
	return o, failed
}

func into[T any](to **T, s string, parse func(string) (T, error)) error {
	v, err := parse(s)
	if err == nil {
		*to = &v
	}
	return err
}

var (
	errNoNumber = errors.New("is not a valid integer")
	errNoSize   = errors.New("is not a size: bytes, or a number with one of the units b, k, m, g, t and p")
)

func parseInt(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, errNoNumber
	}
	return n, nil
}

func parseUint(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, errNoNumber
	}
	return n, nil
}

// parseSize reads a number of bytes as people write it: 1048576, 1024k, 1.5m, 1 GiB. All
// units are powers of 1024. -1 stands for no limit.
func parseSize(s string) (int64, error) {
	if s == "-1" {
		return -1, nil
	}
	text := strings.ToLower(strings.TrimSpace(s))
	digits := strings.TrimRight(text, "bikmgtp ")
	unit := strings.TrimSpace(text[len(digits):])
	power := 0
	if unit != "" && unit != "b" {
		power = strings.IndexByte("kmgtp", unit[0]) + 1
		if rest := unit[1:]; power == 0 || rest != "" && rest != "b" && rest != "ib" {
			return 0, errNoSize
		}
	}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		if n < 0 || n > math.MaxInt64>>(10*power) {
			return 0, errNoSize
		}
		return n << (10 * power), nil
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || strings.Trim(digits, "0123456789.") != "" {
		return 0, errNoSize
	}
	if f *= math.Pow(1024, float64(power)); f >= math.MaxInt64 {
		return 0, errNoSize
	}
	return int64(f), nil
}
