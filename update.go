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

var updateCommand = command{
	name:      "update",
	usage:     "change limits of a running container",
	arguments: existingID,
	description: "Changes only the limits that are given. Where 0 is not a valid limit (memory, for example), 0 means unchanged.\n" +
		"When a part fails, nothing changes.\n" +
		"Sizes are bytes, or have a unit: 64m, 1.5GiB; all units are powers of 1024.\n" +
		"With --resources the limits come as JSON, like linux.resources of a configuration.",
	flags: []flag{
		{name: "resources", short: "r", placeholder: "FILE", usage: "read the limits from the JSON in FILE, - for standard input", completes: files},
		{name: "devices", kind: toggle, usage: "replace the rules for devices, too, with those in the JSON"},
		{name: "memory", placeholder: "SIZE", usage: "limit of memory, SIZE or -1 for none"},
		{name: "memory-reservation", placeholder: "SIZE", usage: "soft limit of memory, SIZE"},
		{name: "memory-swap", placeholder: "SIZE", usage: "limit of memory and swap together, SIZE or -1 for none"},
		{name: "kernel-memory", placeholder: "SIZE", usage: "ignored with a warning: Linux has no such limit any more", hidden: true},
		{name: "kernel-memory-tcp", placeholder: "SIZE", usage: "limit of the memory for TCP buffers (cgroup v1, where the kernel has it)", hidden: true},
		{name: "cpu-share", aliases: []string{"cpu-shares"}, placeholder: "N", usage: "share of CPU time, relative to others, N"},
		{name: "cpu-quota", placeholder: "µs", usage: "CPU time in each period, µs or -1 for no limit"},
		{name: "cpu-period", placeholder: "µs", usage: "period of the quota, µs"},
		{name: "cpu-burst", placeholder: "µs", usage: "CPU time that may be saved up, µs"},
		{name: "cpu-idle", placeholder: "N", usage: "N is 1 for idle scheduling, 0 for normal scheduling"},
		{name: "cpu-rt-runtime", placeholder: "µs", usage: "realtime CPU time in each period, µs"},
		{name: "cpu-rt-period", placeholder: "µs", usage: "period of the realtime CPU time, µs"},
		{name: "cpuset-cpus", placeholder: "LIST", usage: "CPUs to run on, LIST like 0-3,7"},
		{name: "cpuset-mems", placeholder: "LIST", usage: "memory nodes to use, LIST"},
		{name: "blkio-weight", placeholder: "N", usage: "weight of disk access, N from 10 to 1000"},
		{name: "pids-limit", placeholder: "N", usage: "maximum number of processes N, -1 for no limit"},
		{name: "l3-cache-schema", placeholder: "LINE", usage: "schema of the L3 cache, Intel RDT, LINE"},
		{name: "mem-bw-schema", placeholder: "LINE", usage: "schema of the memory bandwidth, Intel RDT, LINE"},
	},
	run: func(c *cli.Context) error {
		container, err := containerOf(c)
		if err != nil {
			return err
		}
		o, err := updateOptions(c)
		if err != nil {
			return err
		}
		return container.Update(c.Context, o)
	},
}

func updateOptions(c *cli.Context) (o libcontainer.UpdateOptions, err error) {
	path := c.String("resources")
	switch {
	case path == "" && c.Bool("devices"):
		return o, errors.New("update: --devices needs --resources, which has the rules")
	case path == "":
		return limitFlags(c)
	}
	for _, f := range usedFlags(c) {
		switch f.flag.name {
		case "resources", "devices":
		default:
			if f.IsSet() {
				return o, fmt.Errorf("update: --resources and --%s exclude each other", f.flag.name)
			}
		}
	}
	o.Devices = c.Bool("devices")
	o.Resources, err = readResources(path, c.App.Reader)
	return o, err
}

// maxResources is the size limit of the JSON, in bytes.
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

// limitFlags turns the flags into limits. Of several errors it reports the first one in the order
// of the help.
func limitFlags(c *cli.Context) (o libcontainer.UpdateOptions, err error) {
	l := limits{options: &o}
	set := l.setters()
	any := false
	for _, f := range usedFlags(c) {
		any = any || f.IsSet()
		value := f.values.String()
		if !f.IsSet() || value == "" || set[f.flag.name] == nil {
			continue
		}
		if err := set[f.flag.name](value); err != nil {
			return o, fmt.Errorf("--%s %q: %w", f.flag.name, value, err)
		}
	}
	if !any {
		return o, errors.New("update: no limits given (see coracle update --help)")
	}
	l.finish()
	return o, nil
}

// limits are the limits that flags have set so far.
type limits struct {
	memory  specs.LinuxMemory
	cpu     specs.LinuxCPU
	weight  *uint16
	pids    *int64
	options *libcontainer.UpdateOptions
}

// setters returns functions that set limits, by the name of the flag.
func (l *limits) setters() map[string]func(value string) error {
	schema := func(s string) error {
		l.options.Schemata = append(l.options.Schemata, s)
		return nil
	}
	return map[string]func(string) error{
		"memory":             into(&l.memory.Limit, parseSize),
		"memory-reservation": into(&l.memory.Reservation, parseSize),
		"memory-swap":        into(&l.memory.Swap, parseSize),
		"kernel-memory":      into(&l.memory.Kernel, parseSize), //lint:ignore SA1019 it is warned about
		"kernel-memory-tcp":  into(&l.memory.KernelTCP, parseSize),
		"cpu-share":          into(&l.cpu.Shares, parseUint),
		"cpu-quota":          into(&l.cpu.Quota, parseInt),
		"cpu-period":         into(&l.cpu.Period, parseUint),
		"cpu-burst":          into(&l.cpu.Burst, parseUint),
		"cpu-idle":           into(&l.cpu.Idle, parseInt),
		"cpu-rt-runtime":     into(&l.cpu.RealtimeRuntime, parseInt),
		"cpu-rt-period":      into(&l.cpu.RealtimePeriod, parseUint),
		"cpuset-cpus":        func(s string) error { l.cpu.Cpus = s; return nil },
		"cpuset-mems":        func(s string) error { l.cpu.Mems = s; return nil },
		"blkio-weight":       into(&l.weight, parseWeight),
		"pids-limit":         into(&l.pids, parseInt),
		"l3-cache-schema":    schema,
		"mem-bw-schema":      schema,
	}
}

// finish adds the parts that have limits.
func (l *limits) finish() {
	r := &l.options.Resources
	if l.memory != (specs.LinuxMemory{}) {
		r.Memory = &l.memory
	}
	if l.cpu != (specs.LinuxCPU{}) {
		r.CPU = &l.cpu
	}
	if l.weight != nil {
		r.BlockIO = &specs.LinuxBlockIO{Weight: l.weight}
	}
	if l.pids != nil {
		r.Pids = &specs.LinuxPids{Limit: l.pids}
	}
}

// into returns a setter of a property.
func into[T any](to **T, parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		v, err := parse(s)
		if err == nil {
			*to = &v
		}
		return err
	}
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

func parseWeight(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, errNoNumber
	}
	return uint16(n), nil
}

func parseUint(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, errNoNumber
	}
	return n, nil
}

// parseSize parses a number of bytes: 1048576, 1024k, 1.5m, 1 GiB. All units are powers of 1024.
// -1 means no limit.
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
