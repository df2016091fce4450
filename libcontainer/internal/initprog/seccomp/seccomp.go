// Package seccomp compiles the system call filters of the specification
// (config-linux.md#seccomp) into the BPF programs that the kernel runs.
//
// A profile says, for system calls by name and for values of their arguments, what is
// to be done. Its words are those of libseccomp, and so is its meaning: a filter of
// this package gives the same answers as one that libseccomp makes from the same
// profile, which a test compares. Where the two differ, and why, is said in diff_test.go.
// One thing is added, as runc does it: a call that is newer than the profile fails
// with ENOSYS and not with the default error, so that programs fall back to an older call.
//
// The order of the rules decides in one case only, see [Compile]. The program is a
// balanced search over ranges of system call numbers for each architecture.
package seccomp

//go:generate go run ./mktables

import (
	"errors"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// MaxInstructions is the size of the largest filter that the kernel takes.
const MaxInstructions = 4096

// Filter is a compiled profile.
type Filter struct {
	// Program is what the kernel runs.
	Program []Instruction
	// Flags are those of seccomp(2), SECCOMP_FILTER_FLAG_*.
	Flags uint64
	// Notify reports whether there are calls which an agent decides. Flags has
	// SECCOMP_FILTER_FLAG_NEW_LISTENER then.
	Notify bool
	// Unknown are the names of system calls in the profile that no architecture
	// has, in order. There are rules for calls of kernels that are newer than this.
	Unknown []string
}

// Compile makes a filter out of a profile. Architectures that the profile does not list
// are killed, but that of this program is always included.
//
// When several rules are for one call, one without conditions on arguments counts more
// than those with some, and the first of those without. Of those with conditions the
// first that holds counts. A rule whose action is the default one does nothing. The
// conditions of a rule must all hold, unless two of them are about the same argument:
// then each stands for a rule of its own.
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
			// Both at once need it: the result can be only one number.
			f.Flags |= unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
		}
	} else {
		// Without a listener nobody waits, and the kernel refuses it.
		f.Flags &^= unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	}
	return f, nil
}

// Encode returns the program as seccomp(2) takes it, an array of struct sock_filter in
// the byte order of this machine.
func (f *Filter) Encode() []byte {
	b := make([]byte, 0, 8*len(f.Program))
	for _, i := range f.Program {
		b = append(b, byte(i.Code), byte(i.Code>>8), i.Jt, i.Jf, byte(i.K), byte(i.K>>8), byte(i.K>>16), byte(i.K>>24))
	}
	return b
}

// native is the architecture of this program, which the kernel reports for its calls.
func native() *arch {
	name, err := nativeArch()
	if err != nil {
		return nil
	}
	return archOf(name)
}

var errNoNative = errors.New("there are no seccomp filters for this architecture")
