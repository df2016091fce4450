package cgroup

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// access is a set of what can be done with a device node. The bits are those of the kernel
// (linux/bpf.h, BPF_DEVCG_ACC_).
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

// any stands for all device types, majors or minors.
const (
	anyType   byte  = 'a'
	anyNumber int64 = -1
)

// devices is a set of device nodes: those of a type with these numbers.
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

// deviceRule allows or denies access to devices. Of a list of rules the last one that is
// about a device decides, for each kind of access on its own.
type deviceRule struct {
	devices
	access access
	allow  bool
}

// deviceRules is what a container may do with device nodes: nothing, then what the
// configuration says, then what every container needs.
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

// alwaysAllowed is the list that other runtimes allow too: nodes may be made but not used,
// except for the default devices, terminals and tun.
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

// allowedBy is the access that rules allow to a device, or to any device of a set that no
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

// deviceList is how cgroup v1 knows what is allowed: all or nothing, with exceptions. Which
// of two exceptions came first is of no importance.
type deviceList struct {
	allow      bool // what is not an exception
	exceptions []deviceException
}

type deviceException struct {
	devices
	access access
}

func (e deviceException) String() string { return e.devices.String() + " " + e.access.String() }

var errHole = errors.New("cgroup v1 cannot allow a set of devices without some of its members")

// listOf turns rules into a list. There are rules that no list can say.
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

// cellsOf are the sets of devices that the rules tell apart, each without those members
// that are in a smaller set.
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
			// What two sets have in common: a major with all minors, a minor with all majors.
			for _, o := range rules {
				if (o.typ == anyType || o.typ == typ) && o.major == anyNumber && o.minor != anyNumber {
					add(devices{typ, r.major, o.minor})
				}
			}
		}
	}
	return cells
}

// listFrom makes the list that allows, or denies, all but its exceptions.
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
