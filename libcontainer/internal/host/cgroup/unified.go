package cgroup

import (
	"maps"
	"slices"
	"strings"
)

// notResources are files that control the cgroup itself.
var notResources = []string{"cgroup.freeze", "cgroup.kill", "cgroup.procs", "cgroup.threads"}

// unifiedFiles plans linux.resources.unified (config-linux.md#unified).
func (p *plan) unifiedFiles(values map[string]string) {
	if len(values) == 0 {
		return
	}
	if !p.v2 {
		p.fail("unified", "this host has cgroup v1")
		return
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		pointer := "unified[" + key + "]"
		switch {
		case key == "" || key == "." || key == ".." || strings.Contains(key, "/"):
			p.failProperty(pointer, "is not the name of a file")
			return
		case slices.Contains(notResources, key):
			p.failProperty(pointer, "is not a resource")
			return
		}
		// The kernel accepts one line at a time.
		for line := range strings.SplitSeq(strings.TrimRight(values[key], "\n"), "\n") {
			if line == "" {
				line = "\n"
			}
			s := p.add(pointer, unifiedKey, line, key)
			if key == "cpu.idle" {
				s.resets = "cpu.weight"
			}
			if first, _, ok := strings.Cut(line, " "); ok && strings.Contains(first, ":") {
				s.restore = func(content string) string { return keyed(first, oldLine(key, first))(content) }
			}
		}
	}
}

// oldLine is the default line of a device without a line of its own.
func oldLine(file, device string) string {
	if file == "io.max" {
		return device + " rbps=max wbps=max riops=max wiops=max"
	}
	return device + " default"
}
