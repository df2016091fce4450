package cgroup

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// access is a set of operations on a device node. The bits are the kernel's (linux/bpf.h,
// BPF_DEVCG_ACC_).
type access uint8

const (
	mknod access = 1 << iota
	read
	write
	allAccess = mknod | read | write
)

func parseAccess(s string) access {
	var a access
	for i, letter := range "mrw" {
		if strings.ContainsRune(s, letter) {
			a |= 1 << i
		}
	}
	return a
}

func (a access) String() string {
	var s strings.Builder
	for _, l := range []struct {
		bit    access
		letter byte
	}{{read, 'r'}, {write, 'w'}, {mknod, 'm'}} {
		if a&l.bit != 0 {
			s.WriteByte(l.letter)
		}
	}
	return s.String()
}

// Wildcards for device types, majors and minors.
const (
	anyType   byte  = 'a'
	anyNumber int64 = -1
)

// devices is a set of device nodes: those with a type and numbers.
type devices struct {
	typ          byte // 'b', 'c' or anyType
	major, minor int64
}

// covers reports whether all of d are in the set.
func (s devices) covers(d devices) bool {
	return (s.typ == anyType || s.typ == d.typ) && (s.major == anyNumber || s.major == d.major) && (s.minor == anyNumber || s.minor == d.minor)
}

func (s devices) String() string {
	number := func(n int64) string {
		if n == anyNumber {
			return "*"
		}
		return itoa(n)
	}
	return fmt.Sprintf("%c %s:%s", s.typ, number(s.major), number(s.minor))
}

// deviceRule allows or denies access to devices. For each kind of access, the last rule that
// matches the device decides.
type deviceRule struct {
	devices
	access access
	allow  bool
}

// deviceRules returns the rules of a container: deny all, then the rules of the configuration,
// then what every container needs.
func deviceRules(in []specs.LinuxDeviceCgroup) []deviceRule {
	rules := make([]deviceRule, 0, len(in)+len(alwaysAllowed)+1)
	rules = append(rules, deviceRule{devices{anyType, anyNumber, anyNumber}, allAccess, false})
	for _, d := range in {
		r := deviceRule{devices{anyType, anyNumber, anyNumber}, allAccess, d.Allow}
		if d.Type != "" {
			r.typ = d.Type[0]
		}
		if d.Major != nil {
			r.major = *d.Major
		}
		if d.Minor != nil {
			r.minor = *d.Minor
		}
		if d.Access != "" {
			r.access = parseAccess(d.Access)
		}
		rules = append(rules, r)
	}
	return append(rules, alwaysAllowed...)
}

// alwaysAllowed is what other runtimes always allow, too: nodes may be created but not used,
// except the default devices, terminals and tun.
var alwaysAllowed = []deviceRule{
	{devices{'c', anyNumber, anyNumber}, mknod, true},
	{devices{'b', anyNumber, anyNumber}, mknod, true},
	{devices{'c', 1, 3}, allAccess, true},           // null
	{devices{'c', 1, 5}, allAccess, true},           // zero
	{devices{'c', 1, 7}, allAccess, true},           // full
	{devices{'c', 1, 8}, allAccess, true},           // random
	{devices{'c', 1, 9}, allAccess, true},           // urandom
	{devices{'c', 5, 0}, allAccess, true},           // tty
	{devices{'c', 5, 2}, allAccess, true},           // ptmx
	{devices{'c', 136, anyNumber}, allAccess, true}, // pts
	{devices{'c', 10, 200}, allAccess, true},        // tun
}

// allowedBy returns the access that rules allow to a device, or to every device of a set that no
// rule splits.
func allowedBy(rules []deviceRule, d devices) access {
	var a access
	for _, r := range rules {
		switch {
		case !r.covers(d):
		case r.allow:
			a |= r.access
		default:
			a &^= r.access
		}
	}
	return a
}

// deviceList is the model of cgroup v1: all or nothing, with exceptions. The order of exceptions
// does not matter.
type deviceList struct {
	allow      bool // the default, without an exception
	exceptions []deviceException
}

type deviceException struct {
	devices
	access access
}

func (e deviceException) String() string { return e.devices.String() + " " + e.access.String() }

var errHole = errors.New("cgroup v1 cannot allow a set of devices without some of its members")

// listOf turns rules into a list. Some rules cannot be expressed as a list.
func listOf(rules []deviceRule) (deviceList, error) {
	cells := cellsOf(rules)
	general := true
	for _, c := range cells {
		if c.major == anyNumber && c.minor == anyNumber && allowedBy(rules, c) != allAccess {
			general = false
		}
	}
	if general {
		if l, err := listFrom(rules, cells, true); err == nil {
			return l, nil
		}
	}
	return listFrom(rules, cells, false)
}

// cellsOf returns the sets of devices that the rules distinguish, each without the members of a
// smaller set.
func cellsOf(rules []deviceRule) []devices {
	var cells []devices
	add := func(d devices) {
		if !slices.Contains(cells, d) {
			cells = append(cells, d)
		}
	}
	for _, typ := range []byte{'b', 'c'} {
		add(devices{typ, anyNumber, anyNumber})
		for _, r := range rules {
			if r.typ != anyType && r.typ != typ {
				continue
			}
			add(devices{typ, r.major, r.minor})
			if r.major == anyNumber || r.minor != anyNumber {
				continue
			}
			// The intersection of two sets: a major with all minors, and a minor with all majors.
			for _, o := range rules {
				if (o.typ == anyType || o.typ == typ) && o.major == anyNumber && o.minor != anyNumber {
					add(devices{typ, r.major, o.minor})
				}
			}
		}
	}
	return cells
}

// listFrom makes a list whose default is to allow, or to deny.
func listFrom(rules []deviceRule, cells []devices, allow bool) (deviceList, error) {
	l := deviceList{allow: allow}
	excepted := make([]access, len(cells))
	for i, c := range cells {
		excepted[i] = allowedBy(rules, c)
		if allow {
			excepted[i] ^= allAccess
		}
	}
	for i, c := range cells {
		redundant := excepted[i] == 0
		for j, larger := range cells {
			if i == j || !larger.covers(c) {
				continue
			}
			if hole := excepted[j] &^ excepted[i]; hole != 0 {
				return l, fmt.Errorf("%w: %s %s without %s", errHole, larger, hole, c)
			}
			redundant = redundant || excepted[j] == excepted[i]
		}
		if !redundant {
			l.exceptions = append(l.exceptions, deviceException{c, excepted[i]})
		}
	}
	return l, nil
}
