package cgroup

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
)

func ptr[T any](v T) *T { return &v }

// model reports whether rules allow all of an access to a device: for each kind of access the
// last matching rule decides.
func model(rules []deviceRule, d devices, a access) bool {
	for _, bit := range []access{mknod, read, write} {
		if a&bit == 0 {
			continue
		}
		allowed := false
		for _, r := range rules {
			if r.covers(d) && r.access&bit != 0 {
				allowed = r.allow
			}
		}
		if !allowed {
			return false
		}
	}
	return true
}

// allows implements the kernel's semantics of a list of cgroup v1 (security/device_cgroup.c): to
// allow an access, an exception has to cover all of it; to deny it, a part of it.
func (l deviceList) allows(d devices, a access) bool {
	for _, e := range l.exceptions {
		if !e.covers(d) {
			continue
		}
		if !l.allow && a&^e.access == 0 {
			return true
		}
		if l.allow && a&e.access != 0 {
			return false
		}
	}
	return l.allow
}

// runFilter executes the instructions of a filter.
func runFilter(t *testing.T, program []bpfInstruction, d devices, a access) bool {
	var r [11]uint64
	typ := uint32(unix.BPF_DEVCG_DEV_BLOCK)
	if d.typ == 'c' {
		typ = unix.BPF_DEVCG_DEV_CHAR
	}
	context := []uint32{uint32(a)<<16 | typ, uint32(d.major), uint32(d.minor)}
	for pc, steps := 0, 0; ; pc, steps = pc+1, steps+1 {
		if pc >= len(program) || steps > len(program) {
			t.Fatalf("runs away at %d", pc)
		}
		switch i := program[pc]; i.op {
		case bpfLoadWord:
			r[i.dst] = uint64(context[i.off/4])
		case bpfMove:
			r[i.dst] = uint64(uint32(i.imm))
		case bpfMoveReg:
			r[i.dst] = uint64(uint32(r[i.src]))
		case bpfAnd:
			r[i.dst] = uint64(uint32(r[i.dst]) & uint32(i.imm))
		case bpfShiftRight:
			r[i.dst] = uint64(uint32(r[i.dst]) >> i.imm)
		case bpfJumpEqual:
			if uint32(r[i.dst]) == uint32(i.imm) {
				pc += int(i.off)
			}
		case bpfJumpOther:
			if uint32(r[i.dst]) != uint32(i.imm) {
				pc += int(i.off)
			}
		case bpfExit:
			return r[regResult] != 0
		default:
			t.Fatalf("unknown instruction %#x", i.op)
		}
	}
}

// samples returns devices that rules with the numbers 1 and 2 distinguish.
func samples() []devices {
	var all []devices
	for _, typ := range []byte{'b', 'c'} {
		for major := int64(1); major <= 3; major++ {
			for minor := int64(1); minor <= 3; minor++ {
				all = append(all, devices{typ, major, minor})
			}
		}
	}
	return all
}

// check compares the filter of v2 and, where there is one, the list of v1 with the model.
// It reports whether there is a list.
func check(t *testing.T, rules []deviceRule) (listed bool) {
	filter := deviceFilter(rules)
	list, err := listOf(rules)
	if err != nil && !errors.Is(err, errHole) {
		t.Fatalf("%v: %v", rules, err)
	}
	for _, d := range samples() {
		for a := access(1); a <= allAccess; a++ {
			want := model(rules, d, a)
			if got := runFilter(t, filter, d, a); got != want {
				t.Fatalf("%v: the filter says %v to %s of %s", rules, got, a, d)
			}
			if err == nil {
				if got := list.allows(d, a); got != want {
					t.Fatalf("%v: the list %+v says %v to %s of %s", rules, list, got, a, d)
				}
			}
		}
	}
	return err == nil
}

// someRules returns rules of all shapes.
func someRules() []deviceRule {
	var all []deviceRule
	for _, typ := range []byte{anyType, 'b', 'c'} {
		for _, major := range []int64{anyNumber, 1, 2} {
			for _, minor := range []int64{anyNumber, 1, 2} {
				for _, a := range []access{read, write | mknod, allAccess} {
					for _, allow := range []bool{true, false} {
						all = append(all, deviceRule{devices{typ, major, minor}, a, allow})
					}
				}
			}
		}
	}
	return all
}

func denyAll() deviceRule {
	return deviceRule{devices{anyType, anyNumber, anyNumber}, allAccess, false}
}

func TestDeviceRulesExhaustively(t *testing.T) {
	all := someRules()
	lists, listed := 0, 0
	try := func(rules ...deviceRule) {
		lists++
		if check(t, append([]deviceRule{denyAll()}, rules...)) {
			listed++
		}
	}
	try()
	for _, a := range all {
		try(a)
		for _, b := range all {
			try(a, b)
		}
	}
	t.Logf("%d lists of rules, %d of them possible with cgroup v1", lists, listed)
	if listed < lists/2 {
		t.Error("cgroup v1 can say more than that")
	}
}

func TestHolesOfListsAreReal(t *testing.T) {
	// Everything that is refused for cgroup v1 has a set of devices that is allowed except for a
	// part.
	for rules, refused := range map[string]bool{
		"c 1:* rwm+ c 1:1 r-":              true,
		"a *:* rwm+ c 1:1 r-":              false,
		"c 1:1 rwm+ c 1:* r-":              false,
		"a *:* rwm+ b 1:* rwm- b 1:1 rwm+": true,
		"a *:* rwm+ b 1:* r- b 1:1 r+":     true,
		"c 1:* r+ c *:1 w+":                false,
	} {
		if listed := check(t, append([]deviceRule{denyAll()}, parseRules(rules)...)); listed == refused {
			t.Errorf("%s: refused is %v", rules, refused)
		}
	}
}

// parseRules parses rules like "c 1:* rw+ b 2:3 m-".
func parseRules(s string) (rules []deviceRule) {
	f := strings.Fields(s)
	for i := 0; i+2 < len(f); i += 3 {
		major, minor, _ := strings.Cut(f[i+1], ":")
		r := deviceRule{devices: devices{typ: f[i][0]}, access: parseAccess(f[i+2]), allow: strings.HasSuffix(f[i+2], "+")}
		r.major, _ = parseNumber(major)
		r.minor, _ = parseNumber(minor)
		rules = append(rules, r)
	}
	return rules
}

func FuzzDeviceRules(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4})
	f.Add([]byte{0, 161, 80, 13, 7, 99})
	all := someRules()
	f.Fuzz(func(t *testing.T, in []byte) {
		rules := []deviceRule{denyAll()}
		for _, b := range in[:min(len(in), 24)] {
			rules = append(rules, all[int(b)%len(all)])
		}
		check(t, rules)
	})
}

func TestDevicesAreDeniedByDefault(t *testing.T) {
	for name, in := range map[string][]specs.LinuxDeviceCgroup{"none": nil, "empty": {}, "deny": {{Allow: false, Access: "rwm"}}} {
		rules := deviceRules(in)
		for _, d := range []devices{{'b', 8, 0}, {'c', 1, 1}, {'c', 1, 11}} {
			if model(rules, d, read) || model(rules, d, write) {
				t.Errorf("%s: %s is allowed", name, d)
			}
		}
		if !model(rules, devices{'c', 1, 3}, read|write) || !model(rules, devices{'c', 136, 5}, read) || !model(rules, devices{'b', 8, 0}, mknod) {
			t.Errorf("%s: null, a terminal or mknod is denied", name)
		}
	}
	kmsg := deviceRules([]specs.LinuxDeviceCgroup{{Allow: true, Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(11)), Access: "r"}})
	if !model(kmsg, devices{'c', 1, 11}, read) || model(kmsg, devices{'c', 1, 11}, write) {
		t.Error("the rule for kmsg does not work")
	}
	if all := deviceRules([]specs.LinuxDeviceCgroup{{Allow: true}}); !model(all, devices{'b', 8, 0}, allAccess) {
		t.Error("an empty access is not all access")
	}
}

func TestDeviceListIsReadBack(t *testing.T) {
	l, err := parseDeviceList("c *:* m\nb 8:0 rw\nc 136:* rwm\n")
	if err != nil || l.allow || !slices.Equal(l.exceptions, []deviceException{
		{devices{'c', -1, -1}, mknod}, {devices{'b', 8, 0}, read | write}, {devices{'c', 136, -1}, allAccess},
	}) {
		t.Errorf("%+v, %v", l, err)
	}
	if l, err = parseDeviceList("a *:* rwm\n"); err != nil || !l.allow || len(l.exceptions) != 0 {
		t.Errorf("%+v, %v", l, err)
	}
	for _, bad := range []string{"c 1 rwm\n", "c 1:x rwm\n", "1:3 rwm\n", "\n"} {
		if _, err := parseDeviceList(bad); err == nil {
			t.Errorf("%q is a list", bad)
		}
	}
}

func TestFilterIsEncoded(t *testing.T) {
	got := encodeFilter([]bpfInstruction{{op: bpfLoadWord, dst: 2, src: 1, off: 4}, {op: bpfJumpOther, dst: 3, off: 2, imm: -1}})
	want := []byte{0x61, 0x12, 4, 0, 0, 0, 0, 0, 0x56, 0x03, 2, 0, 0xff, 0xff, 0xff, 0xff}
	if !bytes.Equal(got, want) {
		t.Errorf("% x", got)
	}
}

// scratchCgroup makes a cgroup of the unified hierarchy.
func scratchCgroup(t *testing.T) string {
	root := mountpoint
	if !isUnified() {
		root = hybrid
	}
	dir := filepath.Join(root, "coracle-unit-"+strings.ToLower(t.Name()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Rmdir(dir) })
	return dir
}

// TestFilterInTheKernel attaches filters and opens devices.
func TestFilterInTheKernel(t *testing.T) {
	dir := scratchCgroup(t)
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	opens := func(script string) bool {
		c := exec.Command("/bin/sh", "-c", script)
		c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}
		return c.Run() == nil
	}
	for i, test := range []struct {
		rules string
		null  bool
		zero  bool
	}{
		{"", false, false},
		{"c 1:3 rwm+", true, false},
		{"c 1:* rwm+ c 1:3 w-", false, true}, // cgroup v1 cannot express this
		{"a *:* rwm+ c 1:5 r-", true, false},
	} {
		rules := append([]deviceRule{denyAll()}, parseRules(test.rules)...)
		if err := setDeviceFilter(dir, rules, i == 0); errors.Is(err, unix.EPERM) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
		if got := opens("exec 3>/dev/null"); got != test.null {
			t.Errorf("%q: null can be written: %v", test.rules, got)
		}
		if got := opens("exec 3</dev/zero"); got != test.zero {
			t.Errorf("%q: zero can be read: %v", test.rules, got)
		}
	}
	group, err := unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(group)
	fds, err := attachedFilters(group)
	if err != nil || len(fds) != 1 {
		t.Errorf("%d filters are attached, %v", len(fds), err)
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// TestVerifierTakesLongFilters loads filters of the size that a fuzzer finds.
func TestVerifierTakesLongFilters(t *testing.T) {
	rules := append([]deviceRule{denyAll()}, someRules()...)
	for range 3 {
		rules = append(rules, rules...)
	}
	for n := 1; n < len(rules); n *= 3 {
		fd, err := loadFilter(deviceFilter(rules[:n]))
		if errors.Is(err, unix.EPERM) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatalf("%d rules: %v", n, err)
		}
		unix.Close(fd)
	}
}

// TestDeviceListInTheKernel reads lists back from the kernel.
func TestDeviceListInTheKernel(t *testing.T) {
	dir := filepath.Join(mountpoint, "devices", "coracle-unit-devices")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skip(err)
	}
	defer func() { _ = unix.Rmdir(dir) }()
	for i, rules := range []string{
		"", "c 1:3 rwm+", "c 1:3 rw+ c 1:* r+", "c 1:3 r+ b 8:* m+", "a *:* rwm+ b 8:0 w-", "c 1:3 rw+", "a *:* rwm+", "c *:* m+ c 5:1 rwm+",
	} {
		l, err := listOf(append([]deviceRule{denyAll()}, parseRules(rules)...))
		if err != nil {
			t.Fatal(err)
		}
		if err := setDeviceList(dir, l, i == 0); err != nil {
			t.Fatalf("%q: %v", rules, err)
		}
		content, err := linux.ReadFollow(filepath.Join(dir, "devices.list"), 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseDeviceList(string(content))
		if err != nil {
			t.Fatal(err)
		}
		less := func(a, b deviceException) int { return strings.Compare(a.String(), b.String()) }
		slices.SortFunc(got.exceptions, less)
		slices.SortFunc(l.exceptions, less)
		if got.allow != l.allow || !l.allow && !slices.Equal(got.exceptions, l.exceptions) {
			t.Errorf("%q: the kernel has %+v, wanted %+v", rules, got, l)
		}
	}
}
