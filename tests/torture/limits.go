package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// limits creates a container with too little of a resource, and raises the limit until there is
// enough.
func (t *torture) limits() error {
	resources := func(name, field string) func(int) func(map[string]any) {
		return func(n int) func(map[string]any) {
			return func(config map[string]any) {
				config["linux"].(map[string]any)["resources"].(map[string]any)[name] = map[string]any{field: n}
				config["process"].(map[string]any)["args"] = []string{"/bin/true"}
			}
		}
	}
	for _, s := range []struct {
		name           string
		from, to, step int
		change         func(n int) func(map[string]any)
		prefix         func(n int) []string
		filesystem     func(l *lane, n int) error
	}{
		{name: "processes", from: 1, to: 12, step: 1, change: resources("pids", "limit")},
		{name: "memory in KiB", from: 32, to: 1024, step: 32, change: func(n int) func(map[string]any) {
			return resources("memory", "limit")(n << 10)
		}},
		{name: "open files", from: 8, to: 64, step: 1, change: func(int) func(map[string]any) {
			// The configuration must not set the limit.
			return func(config map[string]any) { delete(config["process"].(map[string]any), "rlimits") }
		}, prefix: func(n int) []string {
			return []string{"prlimit", "--nofile=" + strconv.Itoa(n)}
		}},
		{name: "state root in KiB", from: 4, to: 64, step: 4, filesystem: func(l *lane, n int) error {
			if err := os.MkdirAll(l.root(), 0o700); err != nil {
				return err
			}
			l.mounted = true
			return syscall.Mount("cortest", l.root(), "tmpfs", 0, "size="+strconv.Itoa(n)+"k")
		}},
	} {
		failures, enough := 0, -1
		for n := s.from; n <= s.to; n += s.step {
			change := func(config map[string]any) {
				if s.change != nil {
					s.change(n)(config)
				}
			}
			l, err := t.newLane(fmt.Sprintf("%s-%d", strings.ReplaceAll(s.name, " ", "-"), n), change)
			if err != nil {
				return err
			}
			if s.filesystem != nil {
				if err := s.filesystem(l, n); err != nil {
					return err
				}
			}
			if s.prefix != nil {
				l.prefix = s.prefix(n)
			}
			where := fmt.Sprintf("%s: %d", s.name, n)
			r := l.command("", "create", l.id)
			if r.ok() {
				r = l.command("", "start", l.id)
			}
			l.judge(where, r)
			if r.ok() && enough < 0 {
				enough = n
			}
			if !r.ok() {
				failures++
			}
			l.prefix = nil
			l.clean(where)
			if s.filesystem != nil {
				if err := syscall.Unmount(l.root(), 0); err != nil {
					return err
				}
			}
		}
		if enough < 0 {
			t.fail("%s: %d is not enough", s.name, s.to)
		}
		// One process is enough for a container of one; of all else there is too little.
		if few := s.name == "processes"; few != (failures == 0) {
			t.fail("%s: %d failures from %d to %d", s.name, failures, s.from, s.to)
		}
		fmt.Printf("limits: %s from %d to %d: %d failures, %d is enough\n", s.name, s.from, s.to, failures, enough)
	}
	return nil
}
