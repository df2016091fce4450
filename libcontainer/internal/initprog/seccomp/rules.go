package seccomp

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// condition compares an argument of a system call. With maskedEqual, value is the mask and two is
// the required value of the masked argument.
type condition struct {
	index      int
	op         operator
	value, two uint64
}

// rule gives the answer when all its conditions hold.
type rule struct {
	conditions []condition
	ret        uint32
}

// decision gives the answer for a call: that of the first rule that holds, otherwise ret.
type decision struct {
	ret   uint32
	rules []rule
	arch  *arch // the architecture of the arguments
}

// Decisions with a fixed index.
const (
	byDefault   = 0
	noSuchCall  = -1 // ENOSYS
	wrongArch   = -2
	wrongArchDo = unix.SECCOMP_RET_KILL_THREAD
)

// rules is a profile by architecture and number.
type rules struct {
	decisions []decision // the first is the default
	sections  []section
	flags     uint64
	notify    bool
	unknown   []string
	// enosys reports whether calls that are newer than the profile fail with ENOSYS.
	enosys bool
}

// section has the decisions for an architecture.
type section struct {
	arch *arch
	// at has the decisions by slot; see arch.slot.
	at [slots]int16
	// last is the largest slot that the profile has a rule for, -1 for none. Calls that are
	// private to ARM do not count, because their numbers are far above all others.
	last int
}

func newRules(p *specs.LinuxSeccomp) (*rules, error) {
	ret, ok := actionRet(p.DefaultAction, p.DefaultErrnoRet)
	if !ok {
		return nil, fmt.Errorf("defaultAction: %q is not an action, or it takes no defaultErrnoRet", p.DefaultAction)
	}
	r := &rules{decisions: make([]decision, 1, 64), notify: isNotify(ret)}
	r.decisions[byDefault].ret = ret
	switch ret & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_TRACE:
		// A profile that allows, logs or traces unknown calls applies the same to new calls.
	default:
		r.enosys = true
	}
	if err := r.setFlags(p.Flags); err != nil {
		return nil, err
	}
	if err := r.addArches(p.Architectures); err != nil {
		return nil, err
	}
	muxes := findMuxes()
	for i := range p.Syscalls {
		if err := r.add(&p.Syscalls[i], muxes); err != nil {
			return nil, fmt.Errorf("syscalls[%d]: %w", i, err)
		}
	}
	return r, nil
}

func isNotify(ret uint32) bool {
	return ret&unix.SECCOMP_RET_ACTION_FULL == unix.SECCOMP_RET_USER_NOTIF
}

func (r *rules) setFlags(names []specs.LinuxSeccompFlag) error {
	if names == nil {
		// Engines rely on what runc does without a list of flags: the mitigation of speculative
		// store bypass, which is expensive, stays off.
		r.flags = unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
	}
	for i, name := range names {
		bit, ok := flagBit(name)
		if !ok {
			return fmt.Errorf("flags[%d]: %q is not a flag", i, name)
		}
		r.flags |= bit
	}
	return nil
}

func (r *rules) addArches(names []specs.Arch) error {
	r.sections = make([]section, 0, 1+len(names))
	add := func(a *arch) {
		for i := range r.sections {
			if r.sections[i].arch == a {
				return
			}
		}
		r.sections = append(r.sections, section{arch: a, last: -1})
	}
	// The native architecture is always included. It is first because most calls are its own.
	if a := native(); a != nil {
		add(a)
	}
	for i, name := range names {
		a := archOf(name)
		if a == nil {
			return fmt.Errorf("architectures[%d]: %q is not an architecture", i, name)
		}
		add(a)
	}
	if len(r.sections) == 0 {
		return errNoNative
	}
	return nil
}

// mux is a call that another call may go through: its index in callNames, and the other call's
// number in it.
type mux struct {
	call   int16 // 0 for none: index 0 is no such call
	number uint8
}

// findMuxes returns the muxes by the index of a call in callNames.
func findMuxes() *[len(callNames)]mux {
	muxes := new([len(callNames)]mux)
	for _, m := range socketcalls {
		muxes[call(m.name)] = mux{int16(call("socketcall")), uint8(m.number)}
	}
	for _, m := range ipcs {
		muxes[call(m.name)] = mux{int16(call("ipc")), uint8(m.number)}
	}
	return muxes
}

// add adds the rules of an entry of the profile.
func (r *rules) add(s *specs.LinuxSyscall, muxes *[len(callNames)]mux) error {
	ret, ok := actionRet(s.Action, s.ErrnoRet)
	if !ok {
		return fmt.Errorf("action: %q is not an action, or it takes no errnoRet", s.Action)
	}
	alternatives, err := conditionsOf(s.Args)
	if err != nil {
		return err
	}
	nothing := ret == r.decisions[byDefault].ret
	for _, name := range s.Names {
		n := call(name)
		if n < 0 {
			r.unknown = append(r.unknown, name)
			continue
		}
		if !nothing && isNotify(ret) {
			r.notify = true
		}
		for i := range r.sections {
			sec := &r.sections[i]
			slot := sec.arch.slot(n)
			if slot >= 0 && slot < privateSlot {
				sec.last = max(sec.last, slot)
			}
			if nothing {
				continue
			}
			m := muxes[n]
			for _, conditions := range alternatives {
				if slot >= 0 {
					r.decide(sec, slot, rule{conditions, ret})
				}
				if sec.arch.muxes && m.call != 0 {
					r.decide(sec, sec.arch.slot(int(m.call)), rule{throughMux(conditions, m), ret})
				}
			}
		}
	}
	return nil
}

// decide adds a rule to the decision about a call.
func (r *rules) decide(s *section, slot int, rule rule) {
	if slices.ContainsFunc(rule.conditions, s.arch.vacuous) {
		rule.conditions = slices.DeleteFunc(slices.Clone(rule.conditions), s.arch.vacuous)
	}
	at := &s.at[slot]
	if *at == byDefault {
		*at = r.decision(s.arch, rule)
		return
	}
	d := &r.decisions[*at]
	switch {
	case len(d.rules) == 0:
		// A rule without conditions applies already.
	case len(rule.conditions) == 0:
		*at = r.decision(s.arch, rule)
	default:
		d.rules = append(d.rules, rule)
	}
}

// vacuous reports whether a condition always holds because its mask is 0.
func (a *arch) vacuous(c condition) bool {
	return c.op == maskedEqual && (uint32(c.value) == 0 && !a.wide || c.value == 0)
}

// decision returns the index of a decision with one rule. Decisions without conditions are
// shared, so that adjacent calls become one range.
func (r *rules) decision(a *arch, first rule) int16 {
	if len(first.conditions) > 0 {
		r.decisions = append(r.decisions, decision{r.decisions[byDefault].ret, []rule{first}, a})
		return int16(len(r.decisions) - 1)
	}
	for i := range r.decisions {
		if len(r.decisions[i].rules) == 0 && r.decisions[i].ret == first.ret {
			return int16(i)
		}
	}
	r.decisions = append(r.decisions, decision{ret: first.ret})
	return int16(len(r.decisions) - 1)
}

// throughMux returns the conditions on a call that goes through a mux, whose first argument is
// the number of the call. The call's own arguments are in memory, which a filter cannot read. As
// in libseccomp, a condition on the first argument is dropped.
func throughMux(conditions []condition, m mux) []condition {
	list := make([]condition, 0, 1+len(conditions))
	list = append(list, condition{index: 0, op: equal, value: uint64(m.number)})
	for _, c := range conditions {
		if c.index != 0 {
			list = append(list, c)
		}
	}
	return list
}

// conditionsOf returns the conditions of an entry as lists. One of the lists has to hold
// completely.
func conditionsOf(args []specs.LinuxSeccompArg) ([][]condition, error) {
	all := make([]condition, 0, len(args))
	seen, repeated := 0, false
	for i, a := range args {
		op, ok := operatorOf(a.Op)
		if !ok {
			return nil, fmt.Errorf("args[%d].op: %q is not an operator", i, a.Op)
		}
		if a.Index > 5 {
			return nil, fmt.Errorf("args[%d].index: %d is not the index of an argument (0 to 5)", i, a.Index)
		}
		repeated = repeated || seen&(1<<a.Index) != 0
		seen |= 1 << a.Index
		all = append(all, condition{int(a.Index), op, a.Value, a.ValueTwo})
	}
	if !repeated {
		return [][]condition{all}, nil
	}
	// libseccomp allows only one condition on an argument in a rule, so other runtimes then make
	// a rule of each condition. Profiles rely on it: "write to 1 or 2".
	list := make([][]condition, len(all))
	for i := range all {
		list[i] = all[i : i+1]
	}
	return list, nil
}
