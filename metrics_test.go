package main

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"coracle/libcontainer"
)

// sampleLine is a sample of the text format, with labels.
var sampleLine = regexp.MustCompile(`^([a-z_]+)\{id="((?:[^"\\]|\\.)*)"((?:,[a-z]+="(?:[^"\\]|\\.)*")*)\} (\S+)$`)

// TestOpenMetrics checks the rules of the format: each sample stands below its family, a family
// comes once, samples of counters end in _total, a unit ends the name, and the end is marked.
func TestOpenMetrics(t *testing.T) {
	s := &libcontainer.Stats{NetworkInterfaces: []libcontainer.NetworkInterface{{Name: "lo"}, {Name: "eth\"0", RxBytes: 5}}}
	s.CPU.Usage.Total = 1_500_000_000
	s.CPU.PSI = &libcontainer.Pressure{}
	s.Memory.Usage.Usage, s.Memory.Usage.Limit = 1000, math.MaxUint64
	s.Memory.Raw = map[string]uint64{"total_inactive_file": 300}
	s.Pids.Limit = 7
	s.Hugetlb = map[string]libcontainer.HugetlbStats{"2MB": {Usage: 2 << 20}, "1GB": {}}
	text := openMetrics(`a"b`, s)
	if !strings.HasSuffix(text, "\n# EOF\n") {
		t.Error("the end is not marked")
	}
	family, kind, unit := "", "", ""
	seen := make(map[string]bool)
	values := make(map[string]string)
	for line := range strings.Lines(strings.TrimSuffix(text, "# EOF\n")) {
		line = strings.TrimSuffix(line, "\n")
		if fields := strings.Fields(line); fields[0] == "#" {
			switch fields[1] {
			case "TYPE":
				family, kind, unit = fields[2], fields[3], ""
				if seen[family] {
					t.Errorf("family %s comes twice", family)
				}
				seen[family] = true
			case "UNIT":
				unit = fields[3]
			}
			if fields[2] != family || unit != "" && !strings.HasSuffix(family, "_"+unit) {
				t.Errorf("%q in family %s", line, family)
			}
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		want := family
		if kind == "counter" {
			want += "_total"
		}
		if m == nil || m[1] != want || m[2] != `a\"b` {
			t.Errorf("%q in the %s %s", line, kind, family)
			continue
		}
		values[m[1]+m[3]] = m[4]
	}
	for name, want := range map[string]string{
		"container_cpu_usage_seconds_total": "1.5", "container_memory_usage_bytes": "1000", "container_memory_working_set_bytes": "700",
		"container_threads_max": "7", `container_network_receive_bytes_total,interface="eth\"0"`: "5", `container_hugetlb_usage_bytes,pagesize="2MB"`: "2.097152e+06",
		"container_spec_memory_limit_bytes": "",
	} {
		if got := values[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
