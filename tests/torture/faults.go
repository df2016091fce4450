package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// rich sets a little of everything that programs have ops for.
func rich(config map[string]any) {
	linux := config["linux"].(map[string]any)
	linux["sysctl"] = map[string]any{"kernel.shm_rmid_forced": "1"}
	linux["devices"] = []any{map[string]any{"path": "/dev/x", "type": "c", "major": 1, "minor": 3}}
	linux["seccomp"] = map[string]any{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []any{
		map[string]any{"names": []string{"swapon"}, "action": "SCMP_ACT_ERRNO"},
	}}
	config["mounts"] = append(config["mounts"].([]any),
		map[string]any{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": []string{"tmpcopyup", "ro"}},
		map[string]any{"destination": "/home", "type": "bind", "source": "/usr", "options": []string{"rbind", "rro"}})
	config["hooks"] = map[string]any{
		"createRuntime":  []any{map[string]any{"path": "/bin/true"}},
		"startContainer": []any{map[string]any{"path": "/bin/true"}},
	}
	process := config["process"].(map[string]any)
	process["user"] = map[string]any{"uid": 1, "gid": 1}
	process["oomScoreAdj"] = 500
}

// withUsers adds a user namespace.
func withUsers(config map[string]any) {
	linux := config["linux"].(map[string]any)
	linux["namespaces"] = append(linux["namespaces"].([]any), map[string]any{"type": "user"})
	ids := []any{map[string]any{"containerID": 0, "hostID": 0, "size": 65536}}
	linux["uidMappings"], linux["gidMappings"] = ids, ids
}

// plain leaves the configuration unchanged.
func plain(map[string]any) {}

func (t *torture) ops() error {
	for name, change := range map[string]func(map[string]any){"rich": rich, "users": withUsers, "plain": plain} {
		l, err := t.newLane(name, change)
		if err != nil {
			return err
		}
		making := l.life()[:2] // create and start
		if name == "plain" {
			// When nothing has to happen between them, run does both at once.
			making = l.short()[:1]
		}
		count, err := l.countOps()
		if err != nil {
			return err
		}
		hits := 0
		for op := 0; op < count; op += t.stride {
			for _, kind := range []string{"exit", "errno"} {
				where := fmt.Sprintf("%s: op %d of %s: %s", name, op, making[0][0], kind)
				r := l.command(fmt.Sprintf("op=%d:%s", op, kind), making[0]...)
				for _, s := range making[1:] {
					if r.ok() {
						r = l.command("", s...)
					}
				}
				l.judge(where, r)
				if !r.ok() {
					hits++
				}
				l.clean(where)
			}
		}
		if hits == 0 {
			t.fail("%s: no failure had an effect", name)
		}
		fmt.Printf("ops of %s, %s: %d ops, %d failures, slowest command %d ms\n", making[0][0], name, count, hits, l.slowest.Milliseconds())
		if err := l.execOps(name); err != nil {
			return err
		}
	}
	return nil
}

// countOps returns the number of ops of the program that create would compile.
func (l *lane) countOps() (int, error) {
	cmd := exec.Command(l.t.coracle, "plan", "--json")
	cmd.Dir = l.bundle()
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	var plan struct {
		Ops []json.RawMessage `json:"ops"`
	}
	if err := json.Unmarshal(out, &plan); err != nil {
		return 0, err
	}
	if len(plan.Ops) == 0 {
		return 0, fmt.Errorf("the plan has no ops")
	}
	return len(plan.Ops), nil
}

// execOps makes each op of an exec program fail. The container has to survive that.
func (l *lane) execOps(name string) error {
	if r := l.command("", "run", "--detach", l.id); !r.ok() {
		return fmt.Errorf("run: %s", r.stderr)
	}
	hits, misses, op, silent := 0, 0, 0, 0
	for ; misses < 200; op += l.t.stride {
		hit := false
		for _, kind := range []string{"exit", "errno"} {
			where := fmt.Sprintf("%s: op %d of exec: %s", name, op, kind)
			r := l.command(fmt.Sprintf("op=%d:%s", op, kind), "exec", l.id, "/bin/true")
			if kind == "exit" && !r.ok() && r.stderr == "" && silent < 4 {
				// Between the message that announces execve and execve itself, the end of the
				// program cannot be told from the end of the command. The ops in between load the
				// seccomp filter and execute the command.
				silent++
			} else {
				l.judge(where, r)
			}
			hit = hit || !r.ok()
			if !r.ok() {
				hits++
			}
		}
		if misses += l.t.stride; hit {
			misses = 0
		}
	}
	if r := l.command("", "exec", l.id, "/bin/true"); !r.ok() {
		l.t.fail("%s: exec after all failures: %s", name, r.stderr)
	}
	if hits == 0 {
		l.t.fail("%s: no failure of exec had an effect", name)
	}
	l.clean(name + ": after exec")
	fmt.Printf("ops of exec, %s: %d ops, %d failures, slowest command %d ms\n", name, op-misses, hits, l.slowest.Milliseconds())
	return nil
}

// step is a command in the life of a container.
type step []string

// life returns the commands of a container's life, in order.
func (l *lane) life() []step {
	return []step{
		{"create", l.id}, {"start", l.id}, {"exec", l.id, "/bin/true"}, {"pause", l.id}, {"resume", l.id},
		{"update", "--pids-limit", "100", l.id}, {"kill", l.id, "KILL"}, {"delete", "--force", l.id},
	}
}

// short is life for a container that run creates and starts at once.
func (l *lane) short() []step {
	return []step{{"run", "--detach", l.id}, {"delete", "--force", l.id}}
}

// live runs steps.
func (l *lane) live(steps []step) error {
	for _, s := range steps {
		if r := l.command("", s...); !r.ok() {
			return fmt.Errorf("%s: %v: %s", s[0], r.err, r.stderr)
		}
	}
	return nil
}

var phasePattern = regexp.MustCompile(`"msg":"([^":]+): [0-9]+ µs`)

// lives calls do with each kind of life.
func (t *torture) lives(name string, do func(*lane, []step) error) error {
	l, err := t.newLane(name, rich)
	if err != nil {
		return err
	}
	if err := do(l, l.life()); err != nil {
		return err
	}
	if l, err = t.newLane(name+"-direct", plain); err != nil {
		return err
	}
	return do(l, l.short())
}

func (t *torture) phases() error { return t.lives("phases", t.phasesOf) }

func (t *torture) phasesOf(l *lane, life []step) error {
	places := 0
	for n, s := range life {
		log := filepath.Join(l.dir, "log")
		if err := l.live(life[:n]); err != nil {
			return err
		}
		r := l.command("", append([]string{"--debug", "--log", log, "--log-format", "json"}, s...)...)
		if !r.ok() {
			return fmt.Errorf("%s: %s", s[0], r.stderr)
		}
		data, _ := os.ReadFile(log)
		_ = os.Remove(log)
		l.clean(s[0])
		found := phasePattern.FindAllStringSubmatch(string(data), -1)
		if len(found) == 0 {
			t.fail("%s has no phases", s[0])
		}
		for _, f := range found {
			for _, kind := range []string{"exit", "delay", "hang"} {
				places++
				where := fmt.Sprintf("%s: %s after %q", s[0], kind, f[1])
				if err := l.live(life[:n]); err != nil {
					return fmt.Errorf("before %s: %w", where, err)
				}
				limit := deadline
				if kind == "hang" {
					limit = 300 * time.Millisecond // it is killed after that
				}
				r := l.commandFor(limit, "phase="+f[1]+":"+kind, s...)
				switch {
				case kind == "delay" && !r.ok():
					t.fail("%s: %v: %s", where, r.err, r.stderr)
				case kind == "exit" && !r.killed():
					t.fail("%s: it was not killed: %v: %s", where, r.err, r.stderr)
				}
				l.clean(where)
			}
		}
	}
	fmt.Printf("phases: %d failures of %d commands, slowest command %d ms\n", places, len(life), l.slowest.Milliseconds())
	return nil
}

func (t *torture) syscalls() error {
	if _, err := exec.LookPath("strace"); err != nil {
		return err
	}
	return t.lives("syscalls", t.syscallsOf)
}

func (t *torture) syscallsOf(l *lane, life []step) error {
	untraced := *l
	killed := 0
	for n, s := range life {
		for call, misses := 1, 0; misses < 5; call += t.stride {
			where := fmt.Sprintf("%s: killed at system call %d", s[0], call)
			if err := untraced.live(life[:n]); err != nil {
				return fmt.Errorf("before %s: %w", where, err)
			}
			// Only the main thread is traced: a tracer that follows the init would wait for its
			// end.
			l.prefix = strings.Fields(fmt.Sprintf("strace -qqq -o /dev/null -e trace=all -e inject=all:signal=KILL:when=%d", call))
			r := l.command("", s...)
			misses++
			if !r.ok() {
				killed, misses = killed+1, 0
			}
			untraced.clean(where)
		}
	}
	if killed == 0 {
		t.fail("no system call was hit")
	}
	fmt.Printf("syscalls: killed at %d system calls of %d commands\n", killed, len(life))
	return nil
}
