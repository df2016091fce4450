//go:build libseccomp

package libseccomp

// #cgo LDFLAGS: -lseccomp
// #include <stdlib.h>
// #include <errno.h>
// #include <seccomp.h>
import "C"

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Version returns the version of the library.
func Version() string {
	v := C.seccomp_version()
	return fmt.Sprintf("%d.%d.%d", v.major, v.minor, v.micro)
}

// token returns the library's number of an architecture, 0 when it does not know it.
func token(a specs.Arch) C.uint32_t {
	name := C.CString(strings.ToLower(strings.TrimPrefix(string(a), "SCMP_ARCH_")))
	defer C.free(unsafe.Pointer(name))
	return C.seccomp_arch_resolve_name(name)
}

// Knows reports whether the library knows an architecture.
func Knows(a specs.Arch) bool { return token(a) != 0 }

// Resolve returns the number of a call on an architecture. It is negative when the architecture
// does not have the call, and -1 when the library does not know the name.
func Resolve(a specs.Arch, name string) int {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	return int(C.seccomp_syscall_resolve_name_arch(token(a), s))
}

// Name returns the name of a call, empty when the library does not know the number.
func Name(a specs.Arch, number int) string {
	s := C.seccomp_syscall_resolve_num_arch(token(a), C.int(number))
	if s == nil {
		return ""
	}
	defer C.free(unsafe.Pointer(s))
	return C.GoString(s)
}

func action(a specs.LinuxSeccompAction, errno *uint) C.uint32_t {
	data := C.uint32_t(unix.EPERM)
	if errno != nil {
		data = C.uint32_t(*errno)
	}
	switch a {
	case specs.ActKill, specs.ActKillThread:
		return C.SCMP_ACT_KILL_THREAD
	case specs.ActKillProcess:
		return C.SCMP_ACT_KILL_PROCESS
	case specs.ActTrap:
		return C.SCMP_ACT_TRAP
	case specs.ActErrno:
		return 0x00050000 | data
	case specs.ActTrace:
		return 0x7ff00000 | data
	case specs.ActLog:
		return C.SCMP_ACT_LOG
	case specs.ActNotify:
		return C.SCMP_ACT_NOTIFY
	}
	return C.SCMP_ACT_ALLOW
}

func operator(op specs.LinuxSeccompOperator) uint32 {
	switch op {
	case specs.OpNotEqual:
		return C.SCMP_CMP_NE
	case specs.OpLessThan:
		return C.SCMP_CMP_LT
	case specs.OpLessEqual:
		return C.SCMP_CMP_LE
	case specs.OpEqualTo:
		return C.SCMP_CMP_EQ
	case specs.OpGreaterEqual:
		return C.SCMP_CMP_GE
	case specs.OpGreaterThan:
		return C.SCMP_CMP_GT
	}
	return C.SCMP_CMP_MASKED_EQ
}

func failed(what string, rc C.int) error {
	if rc == 0 {
		return nil
	}
	return fmt.Errorf("libseccomp: %s: %w", what, syscall.Errno(-rc))
}

// Compile compiles a profile as runtimes do that use the library: unknown names and rules with
// the default action are skipped, and when two conditions are on the same argument, each
// condition becomes a rule. All architectures of the profile must have the same byte order; the
// native one is not added.
func Compile(p *specs.LinuxSeccomp, bigEndian bool) ([]unix.SockFilter, error) {
	standard := action(p.DefaultAction, p.DefaultErrnoRet)
	ctx := C.seccomp_init(standard)
	if ctx == nil {
		return nil, fmt.Errorf("libseccomp: init failed for %s", p.DefaultAction)
	}
	defer C.seccomp_release(ctx)
	if err := failed("arch_remove", C.seccomp_arch_remove(ctx, C.seccomp_arch_native())); err != nil {
		return nil, err
	}
	for _, a := range p.Architectures {
		if err := failed("arch_add", C.seccomp_arch_add(ctx, token(a))); err != nil {
			return nil, err
		}
	}
	for _, s := range p.Syscalls {
		what := action(s.Action, s.ErrnoRet)
		if what == standard {
			continue
		}
		args := make([]C.struct_scmp_arg_cmp, len(s.Args))
		seen := make(map[uint]bool)
		repeated := false
		for i, a := range s.Args {
			raw := unsafe.Pointer(&args[i])
			*(*uint32)(raw) = uint32(a.Index)
			*(*uint32)(unsafe.Add(raw, 4)) = operator(a.Op)
			*(*uint64)(unsafe.Add(raw, 8)) = a.Value
			*(*uint64)(unsafe.Add(raw, 16)) = a.ValueTwo
			repeated = repeated || seen[a.Index]
			seen[a.Index] = true
		}
		lists := [][]C.struct_scmp_arg_cmp{args}
		if repeated {
			lists = nil
			for i := range args {
				lists = append(lists, args[i:i+1])
			}
		}
		for _, name := range s.Names {
			c := C.CString(name)
			number := C.seccomp_syscall_resolve_name(c)
			C.free(unsafe.Pointer(c))
			if number == C.__NR_SCMP_ERROR {
				continue
			}
			for _, list := range lists {
				var first *C.struct_scmp_arg_cmp
				if len(list) > 0 {
					first = &list[0]
				}
				if err := failed("rule for "+name, C.seccomp_rule_add_array(ctx, what, number, C.uint(len(list)), first)); err != nil {
					return nil, err
				}
			}
		}
	}
	return export(ctx, bigEndian)
}

func export(ctx C.scmp_filter_ctx, bigEndian bool) ([]unix.SockFilter, error) {
	fd, err := unix.MemfdCreate("filter", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "filter")
	defer f.Close()
	if err := failed("export", C.seccomp_export_bpf(ctx, C.int(fd))); err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	raw := make([]byte, st.Size())
	if _, err := f.ReadAt(raw, 0); err != nil {
		return nil, err
	}
	var order binary.ByteOrder = binary.LittleEndian
	if bigEndian {
		order = binary.BigEndian
	}
	program := make([]unix.SockFilter, len(raw)/8)
	for i := range program {
		b := raw[8*i:]
		program[i] = unix.SockFilter{Code: order.Uint16(b), Jt: b[2], Jf: b[3], K: order.Uint32(b[4:])}
		if program[i].Code == unix.BPF_RET|unix.BPF_K && !possible(program[i].K) {
			// The library swaps the bytes of some results twice.
			program[i].K = binary.LittleEndian.Uint32(b[4:])
		}
	}
	return program, nil
}

// possible reports whether ret is a valid return value of a filter.
func possible(ret uint32) bool {
	switch ret & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ERRNO, unix.SECCOMP_RET_TRACE:
		return true
	case unix.SECCOMP_RET_KILL_PROCESS, unix.SECCOMP_RET_KILL_THREAD, unix.SECCOMP_RET_TRAP, unix.SECCOMP_RET_USER_NOTIF, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_ALLOW:
		return ret&unix.SECCOMP_RET_DATA == 0
	}
	return false
}
