package seccomp

import specs "github.com/opencontainers/runtime-spec/specs-go"

// span is a range of numbers with the same decision. It ends where the next one begins.
type span struct {
	from     uint32
	decision int16
}

// spans are all numbers in ordered ranges.
type spans []span

func (s *spans) add(from uint32, decision int16) {
	if n := len(*s); n > 0 && (*s)[n-1].from == from {
		*s = (*s)[:n-1]
	}
	if n := len(*s); n == 0 || (*s)[n-1].decision != decision {
		*s = append(*s, span{from, decision})
	}
}

// coder writes the part of a program for one AUDIT_ARCH value.
type coder struct {
	*assembler
	rules   *rules
	written []target // where decisions with rules begin, by index; zero when not written yet
}

// spans returns the ranges of numbers of an AUDIT_ARCH value. One architecture has the value,
// except that x86_64 and x32 share one.
func (c *coder) spans(audit uint32) spans {
	list := make(spans, 0, 256)
	list.add(0, wrongArch)
	var plain, x32 *section
	for i := range c.rules.sections {
		switch s := &c.rules.sections[i]; {
		case s.arch.audit != audit:
		case s.arch.base == x32Bit:
			x32 = s
		default:
			plain = s
		}
	}
	if plain != nil {
		c.section(&list, plain, 0)
	}
	switch {
	case x32 != nil:
		c.section(&list, x32, x32Bit)
	case plain.arch.name == specs.ArchX86_64:
		list.add(x32Bit, wrongArch)
		// -1 is not a call of x32: a tracer has cancelled the call.
		list.add(^uint32(0), byDefault)
	}
	return list
}

// section adds the ranges of an architecture whose numbers begin at first.
func (c *coder) section(list *spans, s *section, first uint32) {
	beyond := int16(byDefault)
	if c.rules.enosys && s.last >= 0 {
		beyond = noSuchCall
	}
	list.add(first, byDefault)
	if a := s.arch.name; beyond == noSuchCall && (a == specs.ArchS390 || a == specs.ArchS390X) {
		// On s390 a call that is unknown to the kernel has the number 0.
		list.add(0, noSuchCall)
		list.add(1, byDefault)
	}
	for slot, d := range s.at[:s.last+1] {
		if d != byDefault {
			n := s.arch.number(slot)
			list.add(n, d)
			list.add(n+1, byDefault)
		}
	}
	list.add(s.arch.number(s.last+1), beyond)
	if s.arch.name != specs.ArchARM {
		return
	}
	list.add(privateBase, byDefault)
	for slot := privateSlot; slot < slots; slot++ {
		list.add(s.arch.number(slot), s.at[slot])
	}
	list.add(privateBase+slots-privateSlot, beyond)
}

// search writes a binary search for the range of the number in the accumulator.
func (c *coder) search(s spans) target {
	switch {
	case len(s) == 1:
		return c.decide(s[0].decision)
	case len(s) == 3 && s[0].decision == s[2].decision && s[2].from == s[1].from+1:
		no := c.decide(s[0].decision)
		return c.jump(opJumpEqual, s[1].from, c.decide(s[1].decision), no)
	}
	middle := (len(s) + 1) / 2
	high := c.search(s[middle:])
	low := c.search(s[:middle])
	return c.jump(opJumpAtLeast, s[middle].from, high, low)
}

// decide returns the target that carries out a decision.
func (c *coder) decide(n int16) target {
	switch n {
	case noSuchCall:
		return returning(enosys)
	case wrongArch:
		return returning(wrongArchDo)
	}
	d := &c.rules.decisions[n]
	if len(d.rules) == 0 {
		return returning(d.ret)
	}
	if c.written[n] == (target{}) {
		next := returning(d.ret)
		for i := len(d.rules) - 1; i >= 0; i-- {
			yes := returning(d.rules[i].ret)
			for j := len(d.rules[i].conditions) - 1; j >= 0; j-- {
				yes = c.compare(d.arch, &d.rules[i].conditions[j], yes, next)
			}
			next = yes
		}
		c.written[n] = next
	}
	return c.written[n]
}

// compare writes a condition. It returns one of its targets when the result is the same for all
// arguments.
func (c *coder) compare(a *arch, cond *condition, yes, no target) target {
	switch cond.op {
	case notEqual:
		return c.compare(a, &condition{cond.index, equal, cond.value, 0}, no, yes)
	case less:
		return c.compare(a, &condition{cond.index, greaterEqual, cond.value, 0}, no, yes)
	case lessEqual:
		return c.compare(a, &condition{cond.index, greater, cond.value, 0}, no, yes)
	}
	// Arguments have 64 bits, in the byte order of the machine.
	low := uint32(dataArgs + 8*cond.index)
	high := low + 4
	if a.bigEndian {
		low, high = high, low
	}
	if cond.op == maskedEqual {
		t := c.masked(low, uint32(cond.value), uint32(cond.two), yes, no)
		if !a.wide {
			return t
		}
		return c.masked(high, uint32(cond.value>>32), uint32(cond.two>>32), t, no)
	}
	op := uint16(opJumpEqual)
	switch cond.op {
	case greaterEqual:
		op = opJumpAtLeast
	case greater:
		op = opJumpGreater
	}
	c.jump(op, uint32(cond.value), yes, no)
	t := c.emit(opLoad, low)
	if !a.wide {
		return t
	}
	// The high half decides unless it is equal.
	t = c.jump(opJumpEqual, uint32(cond.value>>32), t, no)
	if cond.op != equal {
		c.jump(opJumpGreater, uint32(cond.value>>32), yes, t)
	}
	return c.emit(opLoad, high)
}

// masked writes a comparison of the bits of mask in one half of an argument.
func (c *coder) masked(offset, mask, value uint32, yes, no target) target {
	value &= mask // as libseccomp does
	if mask == 0 {
		return yes
	}
	c.jump(opJumpEqual, value, yes, no)
	if mask != ^uint32(0) {
		c.emit(opAnd, mask)
	}
	return c.emit(opLoad, offset)
}
