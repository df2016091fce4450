// Package seccomp compiles the system call filters of the specification
// (config-linux.md#seccomp) into the BPF programs that the kernel runs.
//
// A profile says what happens to system calls, by name and by the values of their arguments. The
// names and their meaning are those of libseccomp: a test checks that a filter of this package
// gives the same answers as the filter that libseccomp makes from the same profile. diff_test.go
// lists the differences and their reasons. One thing is added, as in runc: a call that is newer
// than the profile fails with ENOSYS and not with the default error, so that programs fall back
// to an older call.
//
// The order of the rules matters in one case only, see [Compile]. The program is a balanced
// search over ranges of system call numbers for each architecture.
package seccomp

//go:generate go run ./mktables

import (
	"errors"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// MaxInstructions is the maximum size of a filter in the kernel.
const MaxInstructions = 4096

// Filter is a compiled profile.
type Filter struct {
	// Program is what the kernel runs.
	Program []Instruction
	// Flags are the flags of seccomp(2), SECCOMP_FILTER_FLAG_*.
	Flags uint64
	// Notify reports whether an agent decides about some calls. Flags then has
	// SECCOMP_FILTER_FLAG_NEW_LISTENER.
	Notify bool
	// Unknown are the names of system calls in the profile that no architecture has, in order.
	// The calls may exist in newer kernels.
	Unknown []string
}

// Compile compiles a profile. Architectures that the profile does not list are killed; the native
// architecture is always included.
//
// When there are several rules for one call, a rule without conditions on arguments wins over
// those with conditions, and the first of several rules without conditions wins. Of the rules
// with conditions the first that holds wins. A rule with the default action has no effect. All
// conditions of a rule must hold, unless two of them are on the same argument: then each
// condition is a rule of its own.
func Compile(p *specs.LinuxSeccomp) (*Filter, error) {
	r, err := newRules(p)
	if err != nil {
		return nil, err
	}
	f := &Filter{Flags: r.flags, Notify: r.notify, Unknown: r.unknown}
	f.Program = assemble(r)
	if n := len(f.Program); n > MaxInstructions {
		return nil, fmt.Errorf("the filter would have %d instructions, and the kernel takes at most %d; fewer conditions on arguments or fewer architectures make it smaller", n, MaxInstructions)
	}
	if f.Notify {
		f.Flags |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
		if f.Flags&unix.SECCOMP_FILTER_FLAG_TSYNC != 0 {
			// With both flags this one is required, because the result is either a thread id or a
			// descriptor.
			f.Flags |= unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
		}
	} else {
		// Without a listener nothing waits, and the kernel refuses the flag.
		f.Flags &^= unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	}
	return f, nil
}

// Encode returns the program as the argument of seccomp(2): an array of struct sock_filter in the
// native byte order.
func (f *Filter) Encode() []byte {
	b := make([]byte, 0, 8*len(f.Program))
	for _, i := range f.Program {
		b = append(b, byte(i.Code), byte(i.Code>>8), i.Jt, i.Jf, byte(i.K), byte(i.K>>8), byte(i.K>>16), byte(i.K>>24))
	}
	return b
}

// native returns the architecture of this program, which the kernel reports for its calls.
func native() *arch {
	name, err := nativeArch()
	if err != nil {
		return nil
	}
	return archOf(name)
}

var errNoNative = errors.New("there are no seccomp filters for this architecture")
