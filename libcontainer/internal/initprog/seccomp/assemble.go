package seccomp

import "golang.org/x/sys/unix"

// Instruction is an instruction of classic BPF.
type Instruction = unix.SockFilter

// The opcodes that filters are made of.
const (
	opLoad        = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opAnd         = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	opJump        = unix.BPF_JMP | unix.BPF_JA
	opJumpEqual   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opJumpGreater = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	opJumpAtLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opReturn      = unix.BPF_RET | unix.BPF_K
)

// Offsets in struct seccomp_data.
const (
	dataNumber = 0
	dataArch   = 4
	dataArgs   = 16
)

const enosys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)

// assembler writes a program from its end to its beginning: BPF jumps only forward, so the target
// of a jump is known when the jump is written.
type assembler struct {
	code []Instruction // the last one first
	// returns has the latest return instruction of each value.
	returns []target
}

// target is the target of a jump: an instruction that has been written or, when ret is set, any
// instruction that returns the value.
type target struct {
	ret   bool
	value uint32
	place int
}

func returning(value uint32) target { return target{ret: true, value: value} }

func (a *assembler) emit(op uint16, k uint32) target {
	a.code = append(a.code, Instruction{Code: op, K: k})
	return target{place: len(a.code) - 1}
}

// reach is the maximum distance of a conditional jump, minus the two instructions that may come
// between: a jump to its other target, and the jump itself.
const reach = 255 - 2

// near returns the place of a target, or of a new instruction that leads to it, within reach of
// the next jump.
func (a *assembler) near(t target) int {
	if t.ret {
		for i := range a.returns {
			r := &a.returns[i]
			if r.value == t.value {
				if len(a.code)-r.place > reach {
					// A second return is as short as a jump, and faster.
					r.place = a.emit(opReturn, t.value).place
				}
				return r.place
			}
		}
		t.place = a.emit(opReturn, t.value).place
		a.returns = append(a.returns, t)
		return t.place
	}
	if len(a.code)-t.place > reach {
		return a.emit(opJump, uint32(len(a.code)-1-t.place)).place
	}
	return t.place
}

// jump writes a comparison of the accumulator.
func (a *assembler) jump(op uint16, k uint32, yes, no target) target {
	y, n := a.near(yes), a.near(no)
	i := a.emit(op, k)
	code := &a.code[i.place]
	code.Jt, code.Jf = uint8(i.place-1-y), uint8(i.place-1-n)
	return i
}

// begin makes the program begin at t: what is written next continues there.
func (a *assembler) begin(t target) {
	switch {
	case t.ret:
		a.emit(opReturn, t.value)
	case t.place != len(a.code)-1:
		a.emit(opJump, uint32(len(a.code)-1-t.place))
	}
}

// program returns the instructions in the order of execution: the last one written comes first.
func (a *assembler) program() []Instruction {
	n := len(a.code)
	for i := range n / 2 {
		a.code[i], a.code[n-1-i] = a.code[n-1-i], a.code[i]
	}
	return a.code
}

// assemble writes the program.
func assemble(r *rules) []Instruction {
	a := &assembler{code: make([]Instruction, 0, 1024)}
	// The first architecture is written last, so that the jump to it is short.
	type entry struct {
		audit uint32
		at    target
	}
	entries := make([]entry, 0, len(r.sections))
	for i := len(r.sections) - 1; i >= 0; i-- {
		audit := r.sections[i].arch.audit
		known := false
		for _, e := range entries {
			known = known || e.audit == audit
		}
		if known {
			continue
		}
		c := coder{assembler: a, rules: r, written: make([]target, len(r.decisions))}
		c.begin(c.search(c.spans(audit)))
		entries = append(entries, entry{audit, a.emit(opLoad, dataNumber)})
	}
	next := returning(wrongArchDo)
	for _, e := range entries {
		next = a.jump(opJumpEqual, e.audit, e.at, next)
	}
	a.emit(opLoad, dataArch)
	return a.program()
}
