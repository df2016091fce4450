package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// cycle creates, starts, kills and deletes containers in parallel, and checks that nothing has
// accumulated.
func (t *torture) cycle() error {
	before := t.census()
	var next atomic.Int64
	var wait sync.WaitGroup
	var slowest atomic.Int64
	lanes := make([]*lane, t.lanes)
	for i := range lanes {
		l, err := t.newLane(fmt.Sprintf("cycle-%d", i), nil)
		if err != nil {
			return err
		}
		lanes[i] = l
	}
	var mutex sync.Mutex
	fail := func(format string, args ...any) {
		mutex.Lock()
		defer mutex.Unlock()
		t.fail(format, args...)
	}
	start := time.Now()
	for _, l := range lanes {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for n := next.Add(1); n <= int64(t.cycles); n = next.Add(1) {
				for _, s := range []step{{"create", l.id}, {"start", l.id}, {"kill", l.id, "KILL"}, {"delete", "--force", l.id}} {
					if r := l.command("", s...); !r.ok() {
						fail("cycle %d: %s: %v: %s", n, s[0], r.err, r.stderr)
					}
				}
			}
			slowest.Store(max(slowest.Load(), l.slowest.Milliseconds()))
		}()
	}
	wait.Wait()
	took := time.Since(start)
	for _, l := range lanes {
		l.clean("after all cycles")
	}
	for what, n := range t.census() {
		if n > before[what] {
			t.fail("after %d cycles there are %d %s, and %d before", t.cycles, n, what, before[what])
		}
	}
	fmt.Printf("cycles: %d in %d lanes, %.1f s, %.1f ms of a lane each, slowest command %d ms\n",
		t.cycles, t.lanes, took.Seconds(), took.Seconds()*1000*float64(t.lanes)/float64(t.cycles), slowest.Load())
	return nil
}

// census counts what could accumulate: mounts, and processes that belong to a lane. They get time
// to disappear.
func (t *torture) census() map[string]int {
	time.Sleep(500 * time.Millisecond)
	count := make(map[string]int)
	if data, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		count["mounts"] = bytes.Count(data, []byte(t.dir+"/"))
	}
	pids, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range pids {
		if status, _ := os.ReadFile(p + "/status"); bytes.Contains(status, []byte("State:\tZ")) {
			continue // a zombie; its parent may be slow to reap it
		}
		cgroup, _ := os.ReadFile(p + "/cgroup")
		cwd, _ := os.Readlink(p + "/cwd")
		if bytes.Contains(cgroup, []byte("/"+filepath.Base(t.dir))) || strings.HasPrefix(cwd, t.dir+"/") {
			count["processes"]++
		}
	}
	cgroups, _ := filepath.Glob("/sys/fs/cgroup/*/" + filepath.Base(t.dir) + "*")
	count["cgroups"] = len(cgroups)
	return count
}
