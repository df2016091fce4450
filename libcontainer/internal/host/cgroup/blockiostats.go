package cgroup

import "strings"

// BlockIOStats counts bytes and operations of disks, and what only some I/O schedulers of cgroup
// v1 count.
type BlockIOStats struct {
	ServiceBytes []BlockIOEntry `json:"ioServiceBytesRecursive,omitempty"`
	Serviced     []BlockIOEntry `json:"ioServicedRecursive,omitempty"`
	Queued       []BlockIOEntry `json:"ioQueueRecursive,omitempty"`
	ServiceTime  []BlockIOEntry `json:"ioServiceTimeRecursive,omitempty"`
	WaitTime     []BlockIOEntry `json:"ioWaitTimeRecursive,omitempty"`
	Merged       []BlockIOEntry `json:"ioMergedRecursive,omitempty"`
	Time         []BlockIOEntry `json:"ioTimeRecursive,omitempty"`
	Sectors      []BlockIOEntry `json:"sectorsRecursive,omitempty"`
	PSI          *Pressure      `json:"psi,omitempty"`
}

// BlockIOEntry counts one kind of operation of one disk: Read, Write, Discard and, on cgroup v1,
// Sync, Async and Total.
type BlockIOEntry struct {
	Major uint64 `json:"major"`
	Minor uint64 `json:"minor"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value,omitempty"`
}

func blockIOStatsV1(c counters) BlockIOStats {
	// Several schedulers can have counters; use the first with entries.
	first := func(files ...string) []BlockIOEntry {
		for _, f := range files {
			if entries := blockIOEntries(c.text(f)); len(entries) > 0 {
				return entries
			}
		}
		return nil
	}
	of := func(name string) []BlockIOEntry {
		return first("blkio.bfq."+name+"_recursive", "blkio."+name+"_recursive")
	}
	s := BlockIOStats{
		Queued: of("io_queued"), ServiceTime: of("io_service_time"), WaitTime: of("io_wait_time"), Merged: of("io_merged"),
		Time: of("time"), Sectors: of("sectors"), ServiceBytes: of("io_service_bytes"), Serviced: of("io_serviced"),
	}
	if s.ServiceBytes == nil && s.Serviced == nil {
		s.ServiceBytes = first("blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes")
		s.Serviced = first("blkio.throttle.io_serviced_recursive", "blkio.throttle.io_serviced")
	}
	return s
}

// blockIOEntries reads lines like "8:0 Read 4096" and "8:0 4096". It leaves out the sum at the
// end.
func blockIOEntries(text string) (entries []BlockIOEntry) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || len(f) > 3 {
			continue
		}
		e, ok := entryOf(f[0])
		if !ok {
			continue
		}
		if len(f) == 3 {
			e.Op = f[1]
		}
		e.Value = parseCount(f[len(f)-1])
		entries = append(entries, e)
	}
	return entries
}

func entryOf(device string) (e BlockIOEntry, ok bool) {
	major, minor, ok := strings.Cut(device, ":")
	return BlockIOEntry{Major: parseCount(major), Minor: parseCount(minor)}, ok
}

// blockIOStatsV2 reads io.stat, with lines like "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …".
func blockIOStatsV2(c counters) (s BlockIOStats) {
	for line := range strings.Lines(c.text("io.stat")) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		e, ok := entryOf(f[0])
		if !ok {
			continue
		}
		for _, field := range f[1:] {
			key, value, _ := strings.Cut(field, "=")
			e.Value = parseCount(value)
			to := &s.ServiceBytes
			name, isBytes := strings.CutSuffix(key, "bytes")
			if !isBytes {
				var isOps bool
				if name, isOps = strings.CutSuffix(key, "ios"); !isOps {
					continue
				}
				to = &s.Serviced
			}
			if e.Op = map[string]string{"r": "Read", "w": "Write", "d": "Discard"}[name]; e.Op != "" {
				*to = append(*to, e)
			}
		}
	}
	return s
}
