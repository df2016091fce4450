package seccomp

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/golden"
)

// TestGolden compiles each testdata/NAME.json and compares with testdata/NAME.golden.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var p specs.LinuxSeccomp
			if err := json.Unmarshal(raw, &p); err != nil {
				t.Fatal(err)
			}
			got := ""
			// Compile would add the native architecture.
			r, err := newRules(&p)
			if err == nil {
				r.sections = slices.DeleteFunc(r.sections, func(s section) bool { return !slices.Contains(p.Architectures, s.arch.name) })
				got = fmt.Sprintf("flags %#x\nnotify %v\nunknown %v\n%s", r.flags, r.notify, r.unknown, text(assemble(r)))
			} else {
				got = err.Error() + "\n"
			}
			golden.Compare(t, strings.TrimSuffix(file, ".json")+".golden", got)
		})
	}
}

// text returns a listing of a program.
func text(program []Instruction) string {
	var b strings.Builder
	for n, i := range program {
		fmt.Fprintf(&b, "%4d  ", n)
		jump := func(op string) { fmt.Fprintf(&b, "if A %s %#x to %d else %d\n", op, i.K, n+1+int(i.Jt), n+1+int(i.Jf)) }
		switch i.Code {
		case opLoad:
			fmt.Fprintf(&b, "A = data[%d]\n", i.K)
		case opAnd:
			fmt.Fprintf(&b, "A &= %#x\n", i.K)
		case opJump:
			fmt.Fprintf(&b, "to %d\n", n+1+int(i.K))
		case opJumpEqual:
			jump("==")
		case opJumpGreater:
			jump(">")
		case opJumpAtLeast:
			jump(">=")
		case opReturn:
			fmt.Fprintf(&b, "return %s %d\n", ActionName(i.K), i.K&unix.SECCOMP_RET_DATA)
		default:
			fmt.Fprintf(&b, "?\n")
		}
	}
	return b.String()
}

// check returns why the kernel would refuse a program.
func check(program []Instruction) error {
	for n, i := range program {
		end := n + 1
		switch i.Code {
		case opJump:
			end += int(i.K)
		case opJumpEqual, opJumpGreater, opJumpAtLeast:
			end += int(max(i.Jt, i.Jf))
		case opLoad:
			if i.K%4 != 0 || i.K >= 64 {
				return fmt.Errorf("%d: loads %d", n, i.K)
			}
		case opReturn:
			continue
		}
		if end >= len(program) {
			return fmt.Errorf("%d: goes on at %d of %d", n, end, len(program))
		}
	}
	return nil
}

// compareWithModel compares a filter with a direct evaluation of its rules.
func compareWithModel(t *testing.T, r *rand.Rand, p *specs.LinuxSeccomp, tries int) {
	t.Helper()
	rules, err := newRules(p)
	if err != nil {
		t.Fatal(err)
	}
	program := assemble(rules)
	if err := check(program); err != nil {
		t.Fatalf("%v\n%s\n%s", err, describe(p), text(program))
	}
	for range tries {
		s := &rules.sections[r.IntN(len(rules.sections))]
		slot := r.IntN(privateSlot)
		call := Call{Number: s.arch.number(slot), Arch: s.arch.audit, IP: r.Uint64()}
		for i := range call.Args {
			call.Args[i] = randomValue(r)
			if !s.arch.wide {
				call.Args[i] &= 1<<32 - 1
			}
		}
		d := &rules.decisions[s.at[slot]]
		want := d.answer(call)
		if rules.enosys && s.last >= 0 && slot > s.last ||
			rules.enosys && s.last >= 0 && slot == 0 && (s.arch.name == specs.ArchS390 || s.arch.name == specs.ArchS390X) {
			want = enosys
		}
		if got, ok := run(program, call); !ok || got != want {
			t.Fatalf("%s call %d %#x: %#x, want %#x\n%s\n%s", s.arch.name, slot, call.Args, got, want, describe(p), text(program))
		}
	}
}

func randomArches(r *rand.Rand) []specs.Arch {
	var some []specs.Arch
	for range 1 + r.IntN(4) {
		some = append(some, arches[r.IntN(len(arches))].name)
	}
	return some
}

func TestModel(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, p := range []*specs.LinuxSeccomp{dockerSized(Architectures()...), podmanSized(Architectures()...), containerdSized(Architectures()...)} {
		compareWithModel(t, r, p, 50000)
	}
	for range 2000 {
		compareWithModel(t, r, randomProfile(r, randomArches(r), true), 300)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(uint64(0), uint64(0))
	f.Add(uint64(1), uint64(1<<63))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		p := randomProfile(r, randomArches(r), true)
		compareWithModel(t, r, p, 200)
		if filter, err := Compile(p); err == nil && len(filter.Program) > MaxInstructions {
			t.Fatalf("%d instructions", len(filter.Program))
		}
	})
}

// FuzzProfile compiles arbitrary profiles.
func FuzzProfile(f *testing.F) {
	for _, p := range []*specs.LinuxSeccomp{dockerSized(specs.ArchX86_64), podmanSized(specs.ArchARM), {DefaultAction: specs.ActNotify}} {
		f.Add([]byte(describe(p)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p specs.LinuxSeccomp
		if json.Unmarshal(raw, &p) != nil {
			return
		}
		filter, err := Compile(&p)
		if err != nil {
			return
		}
		if err := check(filter.Program); err != nil {
			t.Fatal(err)
		}
		if _, ok := run(filter.Program, Native(1)); !ok {
			t.Fatal("the filter does not run to its end")
		}
	})
}

// TestAllArchitectures checks that a filter for all architectures at once fits for the profiles
// of engines.
func TestAllArchitectures(t *testing.T) {
	for name, p := range map[string]*specs.LinuxSeccomp{
		"docker": dockerSized(Architectures()...), "podman": podmanSized(Architectures()...), "containerd": containerdSized(Architectures()...),
	} {
		f, err := Compile(p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		t.Logf("%s: %d instructions", name, len(f.Program))
	}
	f, err := Compile(dockerSized(specs.ArchX86_64, specs.ArchX86, specs.ArchX32))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("docker for x86: %d instructions", len(f.Program))
}

// TestTooLarge compiles a filter that is larger than the kernel allows.
func TestTooLarge(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
	for n := range uint64(2000) {
		p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{
			Names: []string{"ioctl"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Index: 1, Value: 7 * n, Op: specs.OpEqualTo}},
		})
	}
	if _, err := Compile(p); err == nil || !strings.Contains(err.Error(), "at most 4096") {
		t.Errorf("err %v", err)
	}
	// Jumps over more than 255 instructions, within the limit.
	p.Syscalls = p.Syscalls[:900]
	compareWithModel(t, rand.New(rand.NewPCG(5, 6)), p, 20000)
	f, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(f.Program); n < 3600 {
		t.Errorf("only %d instructions", n)
	}
	for n := range uint64(900) {
		if !f.Allows(Native(unix.SYS_IOCTL, 0, 7*n)) || f.Allows(Native(unix.SYS_IOCTL, 0, 7*n+1)) || f.Allows(Native(unix.SYS_IOCTL, 0, 7*n|1<<32)) {
			t.Fatalf("ioctl %d", 7*n)
		}
	}
}

// The meaning of profiles, case by case, for calls of this machine.
func TestAnswers(t *testing.T) {
	const other = specs.LinuxSeccompFlag("SECCOMP_FILTER_FLAG_NO_SUCH")
	arg := func(index uint, op specs.LinuxSeccompOperator, value, two uint64) specs.LinuxSeccompArg {
		return specs.LinuxSeccompArg{Index: index, Op: op, Value: value, ValueTwo: two}
	}
	rule := func(action specs.LinuxSeccompAction, name string, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
		return specs.LinuxSyscall{Names: []string{name}, Action: action, Args: args}
	}
	const eperm, allow = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), uint32(unix.SECCOMP_RET_ALLOW)
	for _, test := range []struct {
		name  string
		rules []specs.LinuxSyscall
		call  Call
		want  uint32
	}{
		{"default", nil, Native(unix.SYS_READ), eperm},
		{"by name", []specs.LinuxSyscall{rule(specs.ActAllow, "read")}, Native(unix.SYS_READ), allow},
		{"older than the profile", []specs.LinuxSyscall{rule(specs.ActAllow, "futex_waitv")}, Native(unix.SYS_CLONE3), eperm},
		{"newer than the profile", []specs.LinuxSyscall{rule(specs.ActAllow, "read")}, Native(unix.SYS_CLONE3), enosys},
		{"newest, denied", []specs.LinuxSyscall{rule(specs.ActErrno, "clone3")}, Native(unix.SYS_CLONE3), eperm},
		{"both arguments", []specs.LinuxSyscall{rule(specs.ActAllow, "ioctl", arg(0, specs.OpEqualTo, 1, 0), arg(1, specs.OpEqualTo, 2, 0))}, Native(unix.SYS_IOCTL, 1, 2), allow},
		{"one of two arguments", []specs.LinuxSyscall{rule(specs.ActAllow, "ioctl", arg(0, specs.OpEqualTo, 1, 0), arg(1, specs.OpEqualTo, 2, 0))}, Native(unix.SYS_IOCTL, 1, 3), eperm},
		{"one argument twice", []specs.LinuxSyscall{rule(specs.ActAllow, "ioctl", arg(0, specs.OpEqualTo, 1, 0), arg(0, specs.OpEqualTo, 2, 0))}, Native(unix.SYS_IOCTL, 2), allow},
		{"second rule", []specs.LinuxSyscall{rule(specs.ActAllow, "ioctl", arg(0, specs.OpEqualTo, 1, 0)), rule(specs.ActAllow, "ioctl", arg(0, specs.OpEqualTo, 2, 0))}, Native(unix.SYS_IOCTL, 2), allow},
		{"first rule that holds", []specs.LinuxSyscall{rule(specs.ActTrap, "ioctl", arg(0, specs.OpGreaterThan, 1, 0)), rule(specs.ActAllow, "ioctl", arg(0, specs.OpGreaterThan, 0, 0))}, Native(unix.SYS_IOCTL, 2), unix.SECCOMP_RET_TRAP},
		{"without conditions before with", []specs.LinuxSyscall{rule(specs.ActTrap, "ioctl", arg(0, specs.OpEqualTo, 2, 0)), rule(specs.ActAllow, "ioctl")}, Native(unix.SYS_IOCTL, 2), allow},
		{"first without conditions", []specs.LinuxSyscall{rule(specs.ActTrap, "ioctl"), rule(specs.ActAllow, "ioctl")}, Native(unix.SYS_IOCTL), unix.SECCOMP_RET_TRAP},
		{"the default action does nothing", []specs.LinuxSyscall{rule(specs.ActErrno, "ioctl"), rule(specs.ActAllow, "ioctl")}, Native(unix.SYS_IOCTL), allow},
		{"masked", []specs.LinuxSyscall{rule(specs.ActAllow, "ioctl", arg(5, specs.OpMaskedEqual, 0xf00000000000000f, 0x2000000000000001))}, Native(unix.SYS_IOCTL, 0, 0, 0, 0, 0, 0x2abcdefabcdefab1), allow},
		{"masked, high half differs", []specs.LinuxSyscall{rule(specs.ActAllow, "ioctl", arg(5, specs.OpMaskedEqual, 0xf00000000000000f, 0x2000000000000001))}, Native(unix.SYS_IOCTL, 0, 0, 0, 0, 0, 0x3abcdefabcdefab1), eperm},
		{"64 bits", []specs.LinuxSyscall{rule(specs.ActAllow, "ioctl", arg(0, specs.OpLessThan, 1<<32, 0))}, Native(unix.SYS_IOCTL, 1<<32), eperm},
		{"unknown architecture", []specs.LinuxSyscall{rule(specs.ActAllow, "read")}, Call{Number: 3, Arch: archOf(specs.ArchMIPS).audit}, unix.SECCOMP_RET_KILL_THREAD},
	} {
		f, err := Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: test.rules})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := f.Answer(test.call); got != test.want {
			t.Errorf("%s: %#x, want %#x", test.name, got, test.want)
		}
	}

	for _, test := range []struct {
		profile specs.LinuxSeccomp
		want    uint64
	}{
		{specs.LinuxSeccomp{DefaultAction: specs.ActAllow}, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW},
		{specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{}}, 0},
		{specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv, specs.LinuxSeccompFlagLog}}, unix.SECCOMP_FILTER_FLAG_LOG},
		{specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_TSYNC", specs.LinuxSeccompFlagWaitKillableRecv}, Syscalls: []specs.LinuxSyscall{rule(specs.ActNotify, "mkdir")}},
			unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
	} {
		f, err := Compile(&test.profile)
		if err != nil || f.Flags != test.want {
			t.Errorf("%s: flags %#x, err %v, want %#x", describe(&test.profile), f.Flags, err, test.want)
		}
	}

	for _, p := range []specs.LinuxSeccomp{
		{DefaultAction: "SCMP_ACT_NO"},
		{DefaultAction: specs.ActAllow, DefaultErrnoRet: pointer(1)},
		{DefaultAction: specs.ActErrno, DefaultErrnoRet: pointer(1 << 16)},
		{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{other}},
		{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{"SCMP_ARCH_VAX"}},
		{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{rule("SCMP_ACT_NO", "read")}},
		{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActKill, ErrnoRet: pointer(1)}}},
		{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{rule(specs.ActKill, "read", arg(6, specs.OpEqualTo, 0, 0))}},
		{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{rule(specs.ActKill, "read", arg(0, "SCMP_CMP_NO", 0, 0))}},
	} {
		if _, err := Compile(&p); err == nil {
			t.Errorf("%s: no error", describe(&p))
		}
	}
}

func TestSupportedFlags(t *testing.T) {
	if !FlagsSupported(0) {
		t.Skip("this kernel, or what emulates it, has no seccomp")
	}
	got := SupportedFlags()
	for _, f := range []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_TSYNC", specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow} {
		if !slices.Contains(got, f) {
			t.Errorf("%s is not supported here: %v", f, got)
		}
	}
	if FlagsSupported(1 << 30) {
		t.Error("a flag that does not exist is supported")
	}
}

// TestTables checks the assumptions of the code about the tables.
func TestTables(t *testing.T) {
	if !slices.IsSorted(callNames[:]) {
		t.Error("names are not sorted")
	}
	for i := range arches {
		a := &arches[i]
		for c, n := range a.calls {
			if n >= privateSlot && n < privateMark || n >= privateMark+slots-privateSlot {
				t.Errorf("%s: the number %d of %s has no slot", a.name, n, callNames[c])
			}
		}
		if a.muxes && (number(a, "socketcall") < 0 || number(a, "ipc") < 0) {
			t.Errorf("%s has no socketcall or no ipc", a.name)
		}
	}
	for call, want := range map[string]int{"read": unix.SYS_READ, "execve": unix.SYS_EXECVE, "clone3": unix.SYS_CLONE3, "listns": unix.SYS_LISTNS, "no_such_call": -1} {
		if got := number(native(), call); got != want {
			t.Errorf("%s: %d, want %d", call, got, want)
		}
	}
}

// number returns the number of a call, -1 for none.
func number(a *arch, name string) int {
	if c := call(name); c >= 0 && a.slot(c) >= 0 {
		return int(a.number(a.slot(c)))
	}
	return -1
}
