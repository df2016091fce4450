package seccomp

import (
	"encoding/json"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// holds evaluates a condition in the most direct way.
func (c *condition) holds(a *arch, arg uint64) bool {
	value, two := c.value, c.two
	if !a.wide {
		arg, value, two = arg&0xffffffff, value&0xffffffff, two&0xffffffff
	}
	switch c.op {
	case notEqual:
		return arg != value
	case less:
		return arg < value
	case lessEqual:
		return arg <= value
	case equal:
		return arg == value
	case greaterEqual:
		return arg >= value
	case greater:
		return arg > value
	}
	return arg&value == two&value
}

func (r *rule) holds(a *arch, call Call) bool {
	for _, c := range r.conditions {
		if !c.holds(a, call.Args[c.index]) {
			return false
		}
	}
	return true
}

// answer evaluates a decision: the first rule that holds wins.
func (d *decision) answer(call Call) uint32 {
	for _, r := range d.rules {
		if r.holds(d.arch, call) {
			return r.ret
		}
	}
	return d.ret
}

func describe(p *specs.LinuxSeccomp) string {
	b, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
