package seccomp

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// coldEnv makes the test binary compile one profile and print how long it took.
const coldEnv = "CORACLE_SECCOMP_COLD"

func TestMain(m *testing.M) {
	if os.Getenv(coldEnv) != "" {
		p := dockerSized(specs.ArchX86_64, specs.ArchX86, specs.ArchX32)
		start := time.Now()
		f, err := Compile(p)
		if err == nil {
			f.Encode()
		}
		fmt.Println(time.Since(start).Nanoseconds(), err)
		return
	}
	os.Exit(m.Run())
}

// BenchmarkCold compiles a profile of Docker's size in a new process, as a command does.
func BenchmarkCold(b *testing.B) {
	var sum int64
	for b.Loop() {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{coldEnv + "=1"}
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		text, _, _ := strings.Cut(string(out), " ")
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += n
	}
	b.ReportMetric(float64(sum)/float64(b.N)/1000, "µs/compile")
}

func BenchmarkCompile(b *testing.B) {
	p := dockerSized(specs.ArchX86_64, specs.ArchX86, specs.ArchX32)
	for b.Loop() {
		if _, err := Compile(p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnswer counts the instructions that run for some calls: the cost of the filter in the
// kernel.
func BenchmarkAnswer(b *testing.B) {
	f, err := Compile(dockerSized(specs.ArchX86_64, specs.ArchX86, specs.ArchX32))
	if err != nil {
		b.Fatal(err)
	}
	for _, call := range []Call{Native(unix.SYS_READ), Native(unix.SYS_FUTEX), Native(unix.SYS_CLONE), Native(unix.SYS_OPENAT2)} {
		b.Run(strconv.Itoa(int(call.Number)), func(b *testing.B) {
			for b.Loop() {
				f.Answer(call)
			}
		})
	}
}
