package seccomp

import (
	"fmt"
	"math/rand/v2"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func pointer(n uint) *uint { return &n }

// dangerous are calls that the profiles of engines do not allow.
var dangerous = map[string]bool{
	"acct": true, "add_key": true, "bpf": true, "clock_adjtime": true, "clock_adjtime64": true, "clock_settime": true, "clock_settime64": true,
	"clone": true, "clone3": true, "create_module": true, "delete_module": true, "finit_module": true, "fsconfig": true, "fsmount": true, "fsopen": true,
	"fspick": true, "get_mempolicy": true, "init_module": true, "io_uring_enter": true, "io_uring_register": true, "io_uring_setup": true,
	"ioperm": true, "iopl": true, "kcmp": true, "kexec_file_load": true, "kexec_load": true, "keyctl": true, "lookup_dcookie": true, "mbind": true,
	"mount": true, "mount_setattr": true, "move_mount": true, "move_pages": true, "nfsservctl": true, "open_by_handle_at": true, "open_tree": true,
	"perf_event_open": true, "personality": true, "pivot_root": true, "ptrace": true, "query_module": true, "quotactl": true, "quotactl_fd": true,
	"reboot": true, "request_key": true, "set_mempolicy": true, "setdomainname": true, "sethostname": true, "setns": true, "settimeofday": true,
	"socket": true, "stime": true, "swapoff": true, "swapon": true, "sysfs": true, "_sysctl": true, "syslog": true, "umount": true, "umount2": true,
	"unshare": true, "uselib": true, "userfaultfd": true, "ustat": true, "vhangup": true, "vm86": true, "vm86old": true, "vmsplice": true,
}

// dockerSized returns a profile of the size and shape of Docker's: nearly all calls are allowed
// by name, some only for certain arguments, and all others fail.
func dockerSized(arches ...specs.Arch) *specs.LinuxSeccomp {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: pointer(uint(unix.EPERM)), Architectures: arches}
	var allowed []string
	for _, name := range callNames {
		if !dangerous[name] {
			allowed = append(allowed, name)
		}
	}
	rule := func(action specs.LinuxSeccompAction, names []string, args ...specs.LinuxSeccompArg) *specs.LinuxSyscall {
		p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{Names: names, Action: action, Args: args})
		return &p.Syscalls[len(p.Syscalls)-1]
	}
	rule(specs.ActAllow, allowed)
	// All but AF_VSOCK.
	rule(specs.ActAllow, []string{"socket"}, specs.LinuxSeccompArg{Index: 0, Value: unix.AF_VSOCK, Op: specs.OpNotEqual})
	for _, personality := range []uint64{0, 8, 0x20000, 0x20008, 0xffffffff} {
		rule(specs.ActAllow, []string{"personality"}, specs.LinuxSeccompArg{Index: 0, Value: personality, Op: specs.OpEqualTo})
	}
	const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP
	rule(specs.ActAllow, []string{"clone"}, specs.LinuxSeccompArg{Index: 0, Value: namespaces, Op: specs.OpMaskedEqual})
	rule(specs.ActErrno, []string{"clone3"}).ErrnoRet = pointer(uint(unix.ENOSYS))
	return p
}

// podmanSized returns a profile of the shape of Podman's: it also lists calls that are not
// allowed, and these fail with another error than unknown calls.
func podmanSized(arches ...specs.Arch) *specs.LinuxSeccomp {
	p := dockerSized(arches...)
	p.DefaultErrnoRet = pointer(uint(unix.ENOSYS))
	var denied []string
	for _, name := range callNames {
		if dangerous[name] && name != "socket" && name != "personality" && name != "clone" && name != "clone3" {
			denied = append(denied, name)
		}
	}
	p.Syscalls = append([]specs.LinuxSyscall{{Names: denied, Action: specs.ActErrno, ErrnoRet: pointer(uint(unix.EPERM))}}, p.Syscalls...)
	p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{
		Names: []string{"socket"}, Action: specs.ActErrno, ErrnoRet: pointer(uint(unix.EINVAL)),
		Args: []specs.LinuxSeccompArg{{Index: 0, Value: unix.AF_NETLINK, Op: specs.OpEqualTo}, {Index: 2, Value: unix.NETLINK_AUDIT, Op: specs.OpEqualTo}},
	})
	return p
}

// containerdSized returns a profile of the shape of containerd's with many capabilities: several
// entries have rules for the same call.
func containerdSized(arches ...specs.Arch) *specs.LinuxSeccomp {
	p := dockerSized(arches...)
	for _, names := range [][]string{
		{"bpf", "perf_event_open", "quotactl", "setdomainname", "sethostname", "setns", "syslog"}, {"mount", "umount", "umount2", "unshare", "clone"},
		{"reboot"}, {"delete_module", "init_module", "finit_module"}, {"kcmp", "ptrace"}, {"iopl", "ioperm"}, {"settimeofday", "stime", "clock_settime", "clock_settime64"},
	} {
		p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{Names: names, Action: specs.ActAllow})
	}
	return p
}

// values are interesting values of arguments.
var values = []uint64{0, 1, 2, 8, 40, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 32, 1<<32 + 1, 1 << 63, 1<<64 - 1, 0x7e020000, 0x1122334455667788}

func randomValue(r *rand.Rand) uint64 {
	switch r.IntN(4) {
	case 0:
		return r.Uint64()
	case 1:
		return uint64(r.IntN(4))
	}
	return values[r.IntN(len(values))]
}

// randomProfile returns a random profile for architectures. Unless conflicts is set, all rules
// with conditions for one call have the same action.
func randomProfile(r *rand.Rand, arches []specs.Arch, conflicts bool) *specs.LinuxSeccomp {
	action := func() (specs.LinuxSeccompAction, *uint) {
		a := actions[r.IntN(len(actions))]
		if a.errno && r.IntN(2) == 0 {
			return a.name, pointer(uint(r.IntN(MaxErrno))) // libseccomp refuses the largest
		}
		return a.name, nil
	}
	p := &specs.LinuxSeccomp{Architectures: arches}
	for p.DefaultAction == "" || p.DefaultAction == specs.ActNotify {
		p.DefaultAction, p.DefaultErrnoRet = action()
	}
	type choice struct {
		action specs.LinuxSeccompAction
		errno  *uint
	}
	conditional := make(map[string]choice)
	for range r.IntN(12) {
		var s specs.LinuxSyscall
		s.Action, s.ErrnoRet = action()
		for range 1 + r.IntN(8)*r.IntN(8) {
			s.Names = append(s.Names, callNames[r.IntN(len(callNames))])
		}
		if r.IntN(8) == 0 {
			s.Names = append(s.Names, "not_a_call", fmt.Sprintf("no_call_%d", r.IntN(10)))
		}
		if r.IntN(2) == 0 {
			p.Syscalls = append(p.Syscalls, s)
			continue
		}
		s.Names = s.Names[:min(len(s.Names), 3)]
		if r.IntN(3) == 0 {
			s.Names[0] = socketcalls[r.IntN(len(socketcalls))].name
		}
		for range 1 + r.IntN(4) {
			s.Args = append(s.Args, specs.LinuxSeccompArg{
				Index: uint(r.IntN(6)), Value: randomValue(r), ValueTwo: randomValue(r), Op: operators[r.IntN(len(operators))].name,
			})
		}
		if r.IntN(4) > 0 { // mostly different arguments
			for i := range s.Args {
				s.Args[i].Index = uint(i)
			}
		}
		for _, name := range s.Names {
			one := s
			one.Names = []string{name}
			if !conflicts {
				key := name
				if mux := muxOf(name); mux != "" {
					key = mux
				}
				if c, ok := conditional[key]; ok {
					one.Action, one.ErrnoRet = c.action, c.errno
				}
				conditional[key] = choice{one.Action, one.ErrnoRet}
			}
			p.Syscalls = append(p.Syscalls, one)
		}
	}
	return p
}

// muxOf returns the call that another one goes through, empty when there is none.
func muxOf(name string) string {
	for _, m := range socketcalls {
		if m.name == name {
			return "socketcall"
		}
	}
	for _, m := range ipcs {
		if m.name == name {
			return "ipc"
		}
	}
	return ""
}
