package monitor

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestMonitor: the first thread that the Go runtime has made has another timer slack, and Slack
// is what the others have.
func TestMonitor(t *testing.T) {
	var id [16]byte
	tid := string(id[:thread(id[:])])
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	var tids []int
	for _, e := range threads {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		tids = append(tids, n)
	}
	slices.Sort(tids)
	if len(tids) < 2 || tids[0] != os.Getpid() {
		t.Skipf("the threads are %v", tids)
	}
	if want := strconv.Itoa(tids[1]); tid != want {
		t.Errorf("the monitor is thread %q, not %s", tid, want)
	}
	if Slack == 0 {
		t.Skip("needs CAP_SYS_NICE")
	}
	for n, want := range map[int]int{tids[0]: Slack, tids[1]: 9000000} {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(n) + "/timerslack_ns")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(string(text)); got != strconv.Itoa(want) {
			t.Errorf("thread %d has a timer slack of %s, not %d", n, got, want)
		}
	}
}
