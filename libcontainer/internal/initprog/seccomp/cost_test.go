//go:build libseccomp

package seccomp

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/seccomp/libseccomp"
)

// TestCostOfCalls compares how many instructions the two filters run for the calls of this
// machine.
func TestCostOfCalls(t *testing.T) {
	for name, p := range map[string]*specs.LinuxSeccomp{
		"docker": dockerSized(specs.ArchX86_64), "podman": podmanSized(specs.ArchX86_64), "containerd": containerdSized(specs.ArchX86_64),
	} {
		p = knownTo(p)
		ours, err := Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := libseccomp.Compile(p, false)
		if err != nil {
			t.Fatal(err)
		}
		a := archOf(specs.ArchX86_64)
		calls, sum, theirSum, most, theirMost := 0, 0, 0, 0, 0
		for c := range callNames {
			if a.slot(c) < 0 {
				continue
			}
			call := Call{Number: a.number(a.slot(c)), Arch: a.audit}
			n, m := steps(t, ours.Program, call), steps(t, theirs, call)
			calls, sum, theirSum = calls+1, sum+n, theirSum+m
			most, theirMost = max(most, n), max(theirMost, m)
		}
		t.Logf("%s: %d instructions, %d run on average, %d at most; libseccomp: %d, %d, %d",
			name, len(ours.Program), sum/calls, most, len(theirs), theirSum/calls, theirMost)
		if sum > theirSum || most > theirMost || len(ours.Program) > len(theirs) {
			t.Errorf("%s: libseccomp's filter is better", name)
		}
	}
}

// steps counts the instructions that are run for a call.
func steps(t *testing.T, program []Instruction, c Call) int {
	t.Helper()
	_, n, ok := runCounted(program, c)
	if !ok {
		t.Fatal("a filter does not run to its end")
	}
	return n
}

// kernelEnv makes the test binary load the filter from a file, and print how long a call takes.
const kernelEnv = "CORACLE_SECCOMP_KERNEL"

func init() {
	file := os.Getenv(kernelEnv)
	if file == "" {
		return
	}
	runtime.LockOSThread()
	raw, err := os.ReadFile(file)
	var program []Instruction
	if err == nil {
		err = json.Unmarshal(raw, &program)
	}
	if err == nil && len(program) > 0 {
		err = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
		_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, uintptr(unsafe.Pointer(&prog)))
		if errno != 0 {
			err = errno
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	const rounds = 300000
	start := time.Now()
	for range rounds {
		// The answer for this call depends on its argument; the kernel caches answers that depend
		// only on the number.
		_, _, _ = unix.RawSyscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0)
	}
	fmt.Println(float64(time.Since(start).Nanoseconds()) / rounds)
	os.Exit(0)
}

// BenchmarkKernel measures a call whose argument the filter reads: without a filter, with ours
// and with libseccomp's.
func BenchmarkKernel(b *testing.B) {
	p := knownTo(dockerSized(specs.ArchX86_64))
	ours, err := Compile(p)
	if err != nil {
		b.Fatal(err)
	}
	theirs, err := libseccomp.Compile(p, false)
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range []struct {
		name    string
		program []Instruction
	}{{"none", nil}, {"coracle", ours.Program}, {"libseccomp", theirs}} {
		b.Run(f.name, func(b *testing.B) {
			raw, err := json.Marshal(f.program)
			if err != nil {
				b.Fatal(err)
			}
			file := b.TempDir() + "/filter"
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				b.Fatal(err)
			}
			best := 0.0
			for b.Loop() {
				cmd := exec.Command(os.Args[0])
				cmd.Env = []string{kernelEnv + "=" + file}
				out, err := cmd.Output()
				if err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				n, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
				if err != nil {
					b.Fatal(err)
				}
				if best == 0 || n < best {
					best = n
				}
			}
			b.ReportMetric(best, "ns/call")
		})
	}
}
