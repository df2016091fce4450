package compile

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// denies returns a profile with another action than to allow for some calls.
func denies(action specs.LinuxSeccompAction, names ...string) *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: names, Action: action}}}
}

// TestFilterIsLast checks that only execve comes after the filter, with and without no_new_privs.
func TestFilterIsLast(t *testing.T) {
	for _, nnp := range []bool{true, false} {
		_, out, err := compileSpec(t, func(s *specs.Spec) {
			s.Linux.Seccomp = denies(specs.ActErrno, "mkdir")
			s.Process.NoNewPrivileges = nnp
		})
		if err != nil {
			t.Fatal(err)
		}
		before, _, _ := strings.Cut(trace(out), at(stepRefuse))
		_, after, ok := strings.Cut(before, "seccomp(SECCOMP_SET_MODE_FILTER, ")
		if !ok {
			t.Fatalf("no filter in\n%s", before)
		}
		_, after, _ = strings.Cut(after, "\n")
		var calls []string
		for line := range strings.Lines(after) {
			calls = append(calls, strings.TrimSpace(line))
		}
		if len(calls) != 1 || !strings.Contains(calls[0], " execve(") {
			t.Errorf("no_new_privs %v: after the filter come %q", nnp, calls)
		}
		if raised := strings.Contains(before, at(stepRegainAdmin)); raised == nnp {
			t.Errorf("no_new_privs %v: CAP_SYS_ADMIN is regained: %v", nnp, raised)
		}
	}
}

func TestFiltersThatCannotWork(t *testing.T) {
	for _, test := range []struct {
		profile *specs.LinuxSeccomp
		want    string
	}{
		{denies(specs.ActErrno, "execve"), "answers execve with SCMP_ACT_ERRNO"},
		{denies(specs.ActKill, "execve"), "answers execve with SCMP_ACT_KILL_THREAD"},
		{denies(specs.ActTrap, "execve"), "answers execve with SCMP_ACT_TRAP"},
		{&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"execve"}, Action: specs.ActAllow}, {Names: []string{"mkdir"}, Action: specs.ActNotify},
		}}, "the listener of SCMP_ACT_NOTIFY cannot be handed over"},
	} {
		_, _, err := compileSpec(t, func(s *specs.Spec) { s.Linux.Seccomp = test.profile })
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
	// Calls about which the agent may decide.
	for _, names := range [][]string{{"read"}, {"recvfrom"}, {"sendto", "write"}, {"execve"}, {"exit_group"}, {"sendmsg"}, {"read", "recvfrom"}, {"read", "recvfrom", "sendmsg"}} {
		if _, _, err := compileSpec(t, func(s *specs.Spec) { s.Linux.Seccomp = denies(specs.ActNotify, names...) }); err != nil {
			t.Errorf("%v: %v", names, err)
		}
	}
}

// TestFilterNeedsPrivileges: without no_new_privs the kernel requires CAP_SYS_ADMIN.
func TestFilterNeedsPrivileges(t *testing.T) {
	for _, nnp := range []bool{true, false} {
		in := testInput(specWith(func(s *specs.Spec) {
			s.Linux.Seccomp = denies(specs.ActErrno, "mkdir")
			s.Process.NoNewPrivileges = nnp
		}))
		in.Host.Capabilities &^= 1 << unix.CAP_SYS_ADMIN
		_, err := Init(in)
		if nnp && err != nil || !nnp && (err == nil || !strings.Contains(err.Error(), "needs process.noNewPrivileges, or a runtime that has CAP_SYS_ADMIN")) {
			t.Errorf("no_new_privs %v: %v", nnp, err)
		}
	}
}

// TestReportUnderFilter: a failed execve is reported by a call that the filter allows.
func TestReportUnderFilter(t *testing.T) {
	for _, test := range []struct {
		denied []string
		write  bool
		mute   bool
	}{
		{[]string{"mkdir"}, false, false},
		{[]string{"sendto"}, true, false},
		{[]string{"sendto", "write"}, false, true},
	} {
		text, out, err := compileSpec(t, func(s *specs.Spec) { s.Linux.Seccomp = denies(specs.ActErrno, test.denied...) })
		if err != nil {
			t.Fatal(err)
		}
		if write := strings.Contains(text, "reportcall = 1\n") || strings.Contains(text, "reportcall = 64\n"); write != test.write || out.Mute != test.mute {
			t.Errorf("%v: write %v, mute %v", test.denied, write, out.Mute)
		}
	}
}
