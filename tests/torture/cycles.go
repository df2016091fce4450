package main

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// cycle creates, starts, kills and deletes containers in parallel, and looks whether
// anything has grown.
func (t *torture) cycle() error {
	before := census()
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
	after := census()
	for what, n := range after {
		// The kernel takes its time to let go of cgroups; and the machine lives.
		if grown := n - before[what]; grown > 50 {
			t.fail("after %d cycles there are %d %s more than before", t.cycles, grown, what)
		}
	}
	fmt.Printf("cycles: %d in %d lanes, %.1f s, %.1f ms of a lane each, slowest command %d ms\n",
		t.cycles, t.lanes, took.Seconds(), took.Seconds()*1000*float64(t.lanes)/float64(t.cycles), slowest.Load())
	return nil
}

// census counts what could grow.
func census() map[string]int {
	time.Sleep(500 * time.Millisecond)
	count := make(map[string]int)
	if data, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		count["mounts"] = bytes.Count(data, []byte("\n"))
	}
	if entries, err := os.ReadDir("/proc"); err == nil {
		for _, e := range entries {
			if e.Name()[0] >= '1' && e.Name()[0] <= '9' {
				count["processes"]++
			}
		}
	}
	return count
}
