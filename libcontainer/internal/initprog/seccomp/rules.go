package seccomp

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// condition compares an argument of a system call. With maskedEqual, value is the mask
// and two what the masked argument has to be.
type condition struct {
	index      int
	op         operator
	value, two uint64
}

// rule is what is to be done when all conditions hold.
type rule struct {
	conditions []condition
	ret        uint32
}

// decision is what is to be done with a call: ret, or the first of the rules that holds.
type decision struct {
	ret   uint32
	rules []rule
	arch  *arch // whose arguments the rules look at
}

// Decisions that are not in the list of them.
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
	// enosys reports whether calls which are newer than the profile get ENOSYS.
	enosys bool
}

// section has the decisions for an architecture.
type section struct {
	arch *arch
	// at are decisions by slot; see arch.slot.
	at [slots]int16
	// last is the largest slot that the profile has a rule for, -1 for none. Calls that
	// are private to ARM are far above all others and do not count.
	last int
}

func newRules(p *specs.LinuxSeccomp) (*rules, error) {
	ret, ok := actionRet(p.DefaultAction, p.DefaultErrnoRet)
	if !ok {
		return nil, fmt.Errorf("defaultAction: %q is no action, or one without an error like defaultErrnoRet", p.DefaultAction)
	}
	r := &rules{decisions: make([]decision, 1, 64), notify: isNotify(ret)}
	r.decisions[byDefault].ret = ret
	switch ret & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_TRACE:
		// Who allows what they do not know, or traces it, gets the new calls as well.
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
		// Engines count on what runc does without a list: the mitigation of
		// speculative store bypass, which costs much, is not turned on.
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
	// The own architecture is always there, and first, for it is what is asked for most.
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

// mux is a call through which another may come: its place in callNames, and the number
// of the other.
type mux struct {
	call   int16 // 0 for none: that is another call
	number uint8
}

// findMuxes finds the muxes by the place of a call in callNames.
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

// add adds the rules of an entry.
func (r *rules) add(s *specs.LinuxSyscall, muxes *[len(callNames)]mux) error {
	ret, ok := actionRet(s.Action, s.ErrnoRet)
	if !ok {
		return fmt.Errorf("action: %q is no action, or one without an error like errnoRet", s.Action)
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
		// There is one without conditions.
	case len(rule.conditions) == 0:
		*at = r.decision(s.arch, rule)
	default:
		d.rules = append(d.rules, rule)
	}
}

// vacuous reports whether a condition compares nothing: it has no bit in its mask.
func (a *arch) vacuous(c condition) bool {
	return c.op == maskedEqual && (uint32(c.value) == 0 && !a.wide || c.value == 0)
}

// decision is the place of the decision that consists of a rule. Those without conditions
// are shared, so that calls next to each other become one range.
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

// throughMux are the conditions on a call that comes through another one, whose first
// argument says which it is. The rest of its arguments is in memory, where no filter can
// look; as with libseccomp a condition on the first is dropped.
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

// conditionsOf are the conditions of an entry: lists of which one has to hold in full.
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
	// libseccomp takes only one condition on an argument in a rule, and other
	// runtimes make a rule of each then. Profiles count on it: "write to 1 or 2".
	list := make([][]condition, len(all))
	for i := range all {
		list[i] = all[i : i+1]
	}
	return list, nil
}
