package state

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/linux"
)

func TestCheckID(t *testing.T) {
	for id, ok := range map[string]bool{
		"a": true, "A-b_c+d.9": true, "..a": true, "": false, ".": false, "..": false, "a/b": false, "a b": false,
		"é": false, "a\n": false, "a\x00": false, strings.Repeat("x", 1024): true, strings.Repeat("x", 1025): false,
	} {
		if err := CheckID(id); (err == nil) != ok {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func testRecord(id string) *Record {
	return &Record{
		ID: id, Bundle: "/b", Rootfs: "/b/r", Created: "2026-01-02T03:04:05.6Z", Owner: 1, Annotations: map[string]string{"k": "v\n\"\u00e9"},
		Pid: 42, StartTime: 1 << 60, PrivatePid: true, Cgroup: cgroup.Saved{Paths: map[string]string{"": "/x", "memory": "/y"}},
		HasProcess: true, Steps: []Step{{Op: 7, What: "w (p)", Kind: StepExec, Call: "any name"}},
	}
}

func TestSaveAndLoad(t *testing.T) {
	root := Root(filepath.Join(t.TempDir(), "a", "root"))
	d, err := root.Create("c")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := root.Create("c"); !errors.Is(err, ErrExist) {
		t.Errorf("second create: %v", err)
	}
	if _, err := d.Load(); !errors.Is(err, ErrNotExist) {
		t.Errorf("load before save: %v", err)
	}
	want := testRecord("c")
	if err := d.Save(want); err != nil {
		t.Fatal(err)
	}
	if err := d.SaveConfig([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	d.Close()

	d, err = root.Open("c")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got, err := d.Load()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if c, err := d.Config(); err != nil || string(c) != "{}" {
		t.Error(string(c), err)
	}
	if ids, err := root.IDs(); err != nil || !reflect.DeepEqual(ids, []string{"c"}) {
		t.Error(ids, err)
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Load(); !errors.Is(err, ErrNotExist) {
		t.Errorf("load after remove: %v", err)
	}
	if _, err := root.Open("c"); !errors.Is(err, ErrNotExist) {
		t.Errorf("open after remove: %v", err)
	}
	if err := d.Remove(); err != nil {
		t.Errorf("second remove: %v", err)
	}
}

func TestPermissions(t *testing.T) {
	root := Root(filepath.Join(t.TempDir(), "root"))
	d, err := root.Create("c")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, p := range []string{string(root), d.Path} {
		if st, err := os.Stat(p); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", p, st.Mode(), err)
		}
	}
}

// TestStateOfAnotherUser: a user cannot make another user's command act on files that they wrote.
func TestStateOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	root := Root(t.TempDir())
	d, err := root.Create("c")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Save(testRecord("c")); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if err := os.Chown(d.Path, 1234, 4321); err != nil {
		t.Fatal(err)
	}
	if d, err := root.Open("c"); !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), "belongs to user 1234") {
		t.Errorf("%v, %v", d, err)
	}
}

// TestOlderRecord: in a record of a version without kinds of steps, the names of the steps show
// whether there is a process.
func TestOlderRecord(t *testing.T) {
	root := Root(t.TempDir())
	for id, c := range map[string]struct {
		steps string
		want  []Step
		has   bool
	}{
		"with": {
			`{"op":5,"what":"wait","call":"recvfrom"},{"op":6,"what":"see","call":"check"},{"op":7,"what":"do","call":"execve"}`,
			[]Step{{Op: 5, What: "wait", Kind: StepSyscall, Call: "recvfrom"}, {Op: 6, What: "see", Kind: StepCheck, Call: "check"}, {Op: 7, What: "do", Kind: StepExec, Call: "execve"}}, true,
		},
		"without": {`{"op":5,"what":"end","call":"exit_group"}`, []Step{{Op: 5, What: "end", Kind: StepSyscall, Call: "exit_group"}}, false},
	} {
		d, err := root.Create(id)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := d.write(recordName, []byte(`{"runtime":"coracle","id":"`+id+`","steps":[`+c.steps+`]}`)); err != nil {
			t.Fatal(err)
		}
		r, err := d.Load()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r.Steps, c.want) || r.HasProcess != c.has {
			t.Errorf("%s: got %+v, has process: %v", id, r.Steps, r.HasProcess)
		}
	}
}

func TestForeignState(t *testing.T) {
	root := Root(t.TempDir())
	for name, content := range map[string]string{
		"runc": `{"id":"runc","init_process_pid":1,"config":{}}`, "garbage": "\x00\x01", "other": `{"runtime":"coracle","id":"else"}`,
	} {
		dir := filepath.Join(string(root), name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, recordName), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := root.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Load(); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: %v", name, err)
		}
		d.Close()
	}
	if err := os.WriteFile(filepath.Join(string(root), "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := root.Open("file"); !errors.Is(err, ErrNotExist) {
		t.Error(err)
	}
	if ids, err := root.IDs(); err != nil || len(ids) != 3 {
		t.Error(ids, err)
	}
}

func TestNoRoot(t *testing.T) {
	root := Root(filepath.Join(t.TempDir(), "none"))
	if ids, err := root.IDs(); err != nil || len(ids) != 0 {
		t.Error(ids, err)
	}
	if _, err := root.Open("c"); !errors.Is(err, ErrNotExist) {
		t.Error(err)
	}
}

func TestLocks(t *testing.T) {
	root := Root(t.TempDir())
	d, err := root.Create("c")
	if err != nil {
		t.Fatal(err)
	}
	other, err := root.Open("c")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if ok, err := other.TryLock(); ok || err != nil {
		t.Error(ok, err)
	}
	if !other.Busy() {
		t.Error("nobody is busy")
	}
	d.Close()
	if other.Busy() {
		t.Error("somebody is busy")
	}
	if ok, err := other.TryLock(); !ok || err != nil {
		t.Error(ok, err)
	}
}

func TestStartTime(t *testing.T) {
	parse := func(text string) (uint64, error) {
		stat, err := linux.ParseStat(text)
		if err != nil {
			return 0, err
		}
		return startTime(stat)
	}
	tail := " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"
	for text, want := range map[string]uint64{
		"1 (sh) S" + tail:            4711,
		"1 (sh) Z" + tail:            4711,
		"1 (a b) c) R) Z) S" + tail:  4711,
		"1 (new\nline (x)) D" + tail: 4711,
	} {
		if got, err := parse(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "1 (sh) S", "1 sh S" + tail, "1 (sh) S" + strings.Replace(tail, "4711", "x", 1)} {
		if _, err := parse(bad); err == nil || errors.Is(err, ErrGone) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := StartTime(0); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}

func TestExiting(t *testing.T) {
	stat := func(state, flags, pending string) string {
		return "1 (a b) " + state + " 4 5 6 7 8 " + flags + " 10 11 12 13 14 15 16 17 18 19 20 21 4711 23 24 25 26 27 28 29 30 " + pending + " 32 33"
	}
	for s, want := range map[string]bool{
		stat("S", "4194560", "0"):     false,
		stat("S", "4194564", "0"):     true, // PF_EXITING
		stat("D", "4194560", "256"):   true, // SIGKILL
		stat("S", "4194560", "16384"): false,
		stat("Z", "4194560", "0"):     true,
	} {
		parsed, err := linux.ParseStat(s)
		if got := exiting(parsed); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}

// leaderless makes the test program a process whose first thread has ended.
const leaderless = "CORACLE_TEST_LEADERLESS"

// init is called by the first thread.
func init() {
	if os.Getenv(leaderless) == "" {
		return
	}
	go func() {
		for {
			time.Sleep(time.Hour)
		}
	}()
	_, _, _ = syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0)
}

func TestFirstThreadEnds(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(os.Environ(), leaderless+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	process := linux.PID(cmd.Process.Pid)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if stat, err := process.Stat(); err != nil || time.Now().After(deadline) {
			t.Fatal("the first thread goes on", err)
		} else if stat.Dead() {
			break
		}
	}
	start, err := StartTime(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	r := &Record{Pid: cmd.Process.Pid, StartTime: start}
	if alive, err := r.Alive(); !alive || err != nil {
		t.Error("not alive", err)
	}
	if r.Ending() {
		t.Error("ending")
	}
	fd, err := r.OpenInit()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	fd, thread, err := r.OpenLiving()
	if err == nil {
		unix.Close(fd)
	} else if !strings.Contains(err.Error(), "Linux 6.9") {
		t.Error(err)
	}
	if _, ok := thread.Thread(); !ok {
		t.Errorf("%q is not a thread", thread)
	}
	if cgroups, err := thread.Cgroups(); err != nil || len(cgroups) == 0 {
		t.Error(cgroups, err)
	}
	reused := &Record{Pid: cmd.Process.Pid, StartTime: start - 1}
	if alive, err := reused.Alive(); alive || err != nil {
		t.Error("alive with another start time", err)
	}
	// A number that now belongs to a thread is not a process.
	tid, _ := thread.Thread()
	if _, err := (&Record{Pid: tid, StartTime: start}).OpenInit(); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for alive := true; alive; {
		if alive, err = r.Alive(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.OpenInit(); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if !r.Ending() {
		t.Error("not ending")
	}
}

func TestOpenInit(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	start, err := StartTime(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	r := &Record{Pid: cmd.Process.Pid, StartTime: start}
	if alive, err := r.Alive(); !alive || err != nil {
		t.Error(alive, err)
	}
	// The pid of another process that reused the number.
	reused := &Record{Pid: cmd.Process.Pid, StartTime: start - 1}
	if _, err := reused.OpenInit(); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if alive, _ := reused.Alive(); alive {
		t.Error("a process with another start time counts as alive")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// A zombie counts as gone.
	for alive := true; alive; {
		if alive, err = r.Alive(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.OpenInit(); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	_ = cmd.Wait()
	if _, err := r.OpenInit(); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("1 (sh) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20")
	f.Fuzz(func(t *testing.T, s string) {
		if stat, err := linux.ParseStat(s); err == nil {
			_, _ = startTime(stat)
			exiting(stat)
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"runtime":"coracle","id":"c","pid":1,"cgroup":{"paths":{"":"/x"}}}`))
	f.Add([]byte(`{"runtime":"coracle","id":"d","pid":1}`))
	root := Root(f.TempDir())
	d, err := root.Create("c")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := d.write(recordName, data); err != nil {
			t.Fatal(err)
		}
		if r, err := d.Load(); err == nil && r.ID != "c" {
			t.Errorf("got %+v", r)
		}
	})
}
