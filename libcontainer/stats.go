package libcontainer

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/host/rdt"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/state"
)

// Stats is the resource usage of a container.
type Stats struct {
	cgroup.Stats
	IntelRdt rdt.Stats `json:"intel_rdt"`
	// NetworkInterfaces are the interfaces in the container's network namespace.
	NetworkInterfaces []NetworkInterface `json:"network_interfaces"`
}

// NetworkInterface counts what an interface has received and sent.
type NetworkInterface struct {
	Name      string
	RxBytes   uint64
	RxPackets uint64
	RxErrors  uint64
	RxDropped uint64
	TxBytes   uint64
	TxPackets uint64
	TxErrors  uint64
	TxDropped uint64
}

// Stats reads the resource usage of the container. The error wraps [ErrNotRunning] for a stopped
// one.
func (c *Container) Stats() (_ *Stats, err error) {
	defer explain(&err, c.id, "stats")
	dir, err := c.runtime.root().Open(c.id)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if c.record, err = dir.Load(); err != nil {
		return nil, err
	}
	s, err := status(dir, c.record, false)
	if err != nil {
		return nil, err
	}
	if s == specs.StateStopped {
		return nil, c.notRunning(nil)
	}
	used, err := c.stats()
	return used, c.orNotRunning(err)
}

func (c *Container) stats() (*Stats, error) {
	used, err := cgroup.Load(c.record.Cgroup).Stats()
	if err == nil {
		s := &Stats{Stats: *used}
		if c.record.Rdt != nil {
			s.IntelRdt = rdt.Load(*c.record.Rdt).Stats()
		}
		if s.NetworkInterfaces, err = networkInterfaces(c.record); err == nil {
			return s, nil
		}
	}
	if alive, aliveErr := c.record.Alive(); aliveErr == nil && !alive {
		return nil, c.notRunning(nil)
	}
	return nil, fmt.Errorf("statistics of container %q: %w", c.id, err)
}

// networkInterfaces reads the counters as the first process of the container sees them.
func networkInterfaces(record *state.Record) ([]NetworkInterface, error) {
	//allow:path the host's /proc
	data, err := linux.ReadFollow(record.Process().Path("net/dev"), 16<<20)
	if err != nil {
		return nil, err
	}
	// Check that it was still the same process.
	if alive, err := record.Alive(); err != nil || !alive {
		return nil, os.ErrProcessDone
	}
	return parseNetDev(string(data)), nil
}

// parseNetDev parses /proc/net/dev: two title lines, then a line for each interface, with eight
// columns for received and eight for sent data.
func parseNetDev(text string) []NetworkInterface {
	interfaces := []NetworkInterface{}
	for line := range strings.Lines(text) {
		// The name of an alias contains a colon itself.
		colon := strings.LastIndexByte(line, ':')
		if colon < 0 {
			continue
		}
		fields := strings.Fields(line[colon+1:])
		if len(fields) < 16 {
			continue
		}
		n := make([]uint64, len(fields))
		for i, f := range fields {
			n[i], _ = strconv.ParseUint(f, 10, 64)
		}
		interfaces = append(interfaces, NetworkInterface{
			Name:    strings.TrimSpace(line[:colon]),
			RxBytes: n[0], RxPackets: n[1], RxErrors: n[2], RxDropped: n[3],
			TxBytes: n[8], TxPackets: n[9], TxErrors: n[10], TxDropped: n[11],
		})
	}
	return interfaces
}

// Parts of [Stats].
type (
	// MemoryStats is the memory usage.
	MemoryStats = cgroup.MemoryStats
	// HugetlbStats is the usage of huge pages of one size.
	HugetlbStats = cgroup.HugetlbStats
	// Pressure is how long processes had to wait for a resource.
	Pressure = cgroup.Pressure
)
