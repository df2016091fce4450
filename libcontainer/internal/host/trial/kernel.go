package trial

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/oci/bundle"
)

func setMempolicy(mode uint32, nodes []uint64) error {
	var mask unsafe.Pointer
	bits := uintptr(0)
	if len(nodes) > 0 {
		mask, bits = unsafe.Pointer(&nodes[0]), uintptr(64*len(nodes)+1)
	}
	_, _, errno := unix.Syscall(unix.SYS_SET_MEMPOLICY, uintptr(mode), uintptr(mask), bits)
	runtime.KeepAlive(nodes)
	if errno != 0 {
		return errno
	}
	return nil
}

// Filesystem returns an error when this kernel has no file system of a type. A file system in a
// module that is not loaded counts as present; the module is not loaded.
func Filesystem(fstype string) error {
	if loaded(fstype) || inModule(fstype) {
		return nil
	}
	return fmt.Errorf("the kernel has no file system %q", fstype)
}

// loaded reports whether the kernel has a file system without loading a module.
func loaded(fstype string) bool {
	fields, err := filesystem(fstype)
	return err != nil || fields != nil
}

// filesystem returns the fields of a type's line in /proc/filesystems; nil when there is none.
func filesystem(fstype string) (fields []string, err error) {
	data, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[len(fields)-1] == fstype {
			return fields, nil
		}
	}
	return nil, nil
}

// Device returns an error when a file system of a type needs a block device and the source is not
// one.
func Device(fstype, source string) error {
	if fields, _ := filesystem(fstype); len(fields) != 1 { // others have "nodev"
		return nil
	}
	var st unix.Stat_t
	switch err := unix.Stat(source, &st); {
	case err != nil:
		return fmt.Errorf("%q has to be a block device: %w", source, err)
	case st.Mode&unix.S_IFMT != unix.S_IFBLK:
		return fmt.Errorf("%q is not a block device", source)
	}
	return nil
}

// inModule reports whether a module of the running kernel has a file system.
func inModule(fstype string) bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return true
	}
	f, err := os.Open("/lib/modules/" + unix.ByteSliceToString(u.Release[:]) + "/modules.alias")
	if err != nil {
		return false
	}
	defer f.Close()
	want := "alias fs-" + fstype + " "
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadString('\n')
		if strings.HasPrefix(line, want) {
			return true
		}
		if err != nil {
			return !errors.Is(err, io.EOF)
		}
	}
}

// Options returns the parameters that a file system does not accept. It sets them on a file
// system context and never creates the file system. Without privileges, and when the module of
// the file system is not loaded, it returns nothing.
func Options(fstype string, params []bundle.MountParam) (refused []bundle.MountParam) {
	if !loaded(fstype) {
		return nil
	}
	fd, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	const maxValue = 255 // longer values are passed to mount(2)
	for _, p := range params {
		if len(p.Value) > maxValue {
			continue
		}
		if p.HasValue {
			err = unix.FsconfigSetString(fd, p.Key, p.Value)
		} else {
			err = unix.FsconfigSetFlag(fd, p.Key)
		}
		if errors.Is(err, unix.EINVAL) {
			refused = append(refused, p)
		}
	}
	return refused
}

// Rlimits returns a problem for each limit that this process may not set: raising a hard limit
// needs privileges, and the kernel has a maximum for some limits. It restores the limits of this
// process.
func Rlimits(limits []specs.POSIXRlimit) (problems []bundle.Problem) {
	for i, l := range limits {
		number, ok := bundle.Rlimit(l.Type)
		if !ok {
			continue
		}
		var now unix.Rlimit
		if unix.Prlimit(0, number, nil, &now) != nil || l.Hard <= now.Max {
			continue
		}
		if err := unix.Prlimit(0, number, &unix.Rlimit{Cur: now.Cur, Max: l.Hard}, nil); err != nil {
			problems = append(problems, bundle.Problem{
				Property: fmt.Sprintf("process.rlimits[%d].hard", i), Text: fmt.Sprintf("%s cannot be raised from %d to %d: %v", l.Type, now.Max, l.Hard, err),
			})
			continue
		}
		_ = unix.Prlimit(0, number, &now, nil)
	}
	return problems
}

// OOMScoreAdj returns an error when this process may not set the value. It restores the former
// value.
func OOMScoreAdj(value int) error {
	const file = "/proc/self/oom_score_adj"
	before, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	write := func(value string) error {
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteString(value)
		return err
	}
	if err := write(fmt.Sprint(value)); err != nil {
		return fmt.Errorf("%w (to lower it takes CAP_SYS_RESOURCE)", err)
	}
	return write(strings.TrimSpace(string(before)))
}

// maxSeconds is the maximum of a clock, in seconds (KTIME_SEC_MAX).
const maxSeconds = 9223372036

// TimeOffset returns an error when a clock cannot have an offset.
func TimeOffset(clock string, offset specs.LinuxTimeOffset) error {
	id := int32(unix.CLOCK_MONOTONIC)
	if clock == "boottime" {
		id = unix.CLOCK_BOOTTIME
	}
	var now unix.Timespec
	if unix.ClockGettime(id, &now) != nil {
		return nil
	}
	if then := now.Sec + offset.Secs; offset.Secs > maxSeconds || offset.Secs < -maxSeconds || then < 0 || then > maxSeconds/2 {
		return fmt.Errorf("the clock would be at %d s; the range is 0 to %d", then, maxSeconds/2)
	}
	return nil
}

// NetDevice reports whether a device is in the network namespace of this process.
func NetDevice(name string) bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return false
	}
	return !errors.Is(unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request), unix.ENODEV)
}

// AppArmor returns an error when a profile cannot be applied. It returns nil when the list of
// profiles cannot be read.
func AppArmor(profile string) error {
	enabled, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	if err != nil || !strings.HasPrefix(string(enabled), "Y") {
		return errors.New("AppArmor is not enabled on this host")
	}
	if strings.Contains(profile, "//&") || strings.HasPrefix(profile, ":") {
		return nil // a stack, or a profile of another namespace
	}
	data, err := os.ReadFile("/sys/kernel/security/apparmor/profiles")
	if err != nil {
		return nil
	}
	known := func(line string) bool {
		name, _, _ := strings.Cut(line, " (")
		return name == profile
	}
	if !slices.ContainsFunc(strings.Split(string(data), "\n"), known) {
		return errors.New("the profile is not loaded")
	}
	return nil
}
