package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// deadline is the time after which a command counts as hanging. The machine may be busy.
const deadline = 20 * time.Second

// lane is a bundle with its own state root and container id.
type lane struct {
	t      *torture
	dir    string // contains the bundle and the state root
	id     string // also the name of the cgroup
	prefix []string
	// mounted reports whether the state root is a mount of its own.
	mounted bool
	// slowest is the longest time that a command took.
	slowest time.Duration
}

// newLane makes a lane; change modifies its configuration.
func (t *torture) newLane(name string, change func(config map[string]any)) (*lane, error) {
	l := &lane{t: t, dir: filepath.Join(t.dir, name), id: filepath.Base(t.dir) + "-" + name}
	if err := os.MkdirAll(l.bundle(), 0o755); err != nil {
		return nil, err
	}
	if out, err := exec.Command(t.coracle, "spec", "--bundle", l.bundle()).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	file := filepath.Join(l.bundle(), "config.json")
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var config map[string]any
	if err := json.Unmarshal(data, &config); err != nil {
		return nil, err
	}
	process := config["process"].(map[string]any)
	process["terminal"] = false
	process["args"] = []string{"/bin/sleep", "1000"}
	config["root"] = map[string]any{"path": t.rootfs, "readonly": true}
	config["linux"].(map[string]any)["cgroupsPath"] = "/" + l.id
	if change != nil {
		change(config)
	}
	if data, err = json.Marshal(config); err != nil {
		return nil, err
	}
	return l, os.WriteFile(file, data, 0o644)
}

func (l *lane) bundle() string { return filepath.Join(l.dir, "bundle") }
func (l *lane) root() string   { return filepath.Join(l.dir, "root") }

// result is the outcome of a command.
type result struct {
	stderr string
	err    error
	hung   bool
}

func (r result) ok() bool { return r.err == nil }

// command runs coracle, with a failpoint unless it is empty.
func (l *lane) command(failpoint string, args ...string) result {
	return l.commandFor(deadline, failpoint, args...)
}

// commandFor is command with a time limit, after which the command is killed.
func (l *lane) commandFor(limit time.Duration, failpoint string, args ...string) result {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	words := append(append([]string{}, l.prefix...), l.t.coracle, "--root", l.root())
	words = append(words, args...)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir = l.bundle()
	// Use a file: the container inherits it, and would keep a pipe open.
	errors_, err := os.Create(filepath.Join(l.dir, "stderr"))
	if err != nil {
		return result{err: err}
	}
	defer errors_.Close()
	cmd.Stderr = errors_
	cmd.Env = append(os.Environ(), "CORACLE_FAILPOINT="+failpoint)
	start := time.Now()
	err = cmd.Run()
	took := time.Since(start)
	r := result{err: err, hung: ctx.Err() != nil}
	if !r.hung {
		l.slowest = max(l.slowest, took)
	}
	data, _ := os.ReadFile(errors_.Name())
	r.stderr = string(data)
	return r
}

// killed reports whether SIGKILL ended the command.
func (r result) killed() bool {
	var exit *exec.ExitError
	if !errors.As(r.err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// judge checks that a failed command gave its reason in one line.
func (l *lane) judge(where string, r result) {
	switch {
	case r.hung:
		l.t.fail("%s: the command hangs", where)
	case r.ok() || r.killed():
	case strings.Count(r.stderr, "\n") != 1 || strings.TrimSpace(r.stderr) == "":
		l.t.fail("%s: not one line on standard error but %q", where, r.stderr)
	}
}

// clean removes the container twice and checks for leftovers.
func (l *lane) clean(where string) {
	for range 2 {
		if r := l.command("", "delete", "--force", l.id); !r.ok() {
			l.t.fail("%s: delete --force: %v: %s", where, r.err, r.stderr)
		}
	}
	var left []string
	for end := time.Now().Add(3 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if left = l.leftovers(); len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			break
		}
	}
	l.t.fail("%s: left behind: %s", where, strings.Join(left, ", "))
}

// leftovers returns the remaining state, cgroups, mounts and processes of the lane's container.
func (l *lane) leftovers() []string {
	var left []string
	add := func(paths []string) { left = append(left, paths...) }
	for _, pattern := range []string{
		filepath.Join(l.root(), "*"), filepath.Join("/sys/fs/cgroup", l.id), filepath.Join("/sys/fs/cgroup", "*", l.id),
	} {
		found, _ := filepath.Glob(pattern)
		add(found)
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err == nil && !l.mounted && bytes.Contains(mounts, []byte(l.dir+"/")) {
		add([]string{"a mount"})
	}
	pids, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range pids {
		if cwd, err := os.Readlink(p + "/cwd"); err == nil && cwd == l.bundle() {
			add([]string{p + " in the bundle"})
		} else if cgroup, err := os.ReadFile(p + "/cgroup"); err == nil && bytes.Contains(cgroup, []byte("/"+l.id+"\n")) {
			add([]string{p + " in the cgroup"})
		}
	}
	return left
}
