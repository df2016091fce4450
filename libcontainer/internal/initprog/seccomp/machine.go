package seccomp

import "golang.org/x/sys/unix"

// Call is a system call as a filter sees it: struct seccomp_data.
type Call struct {
	Number uint32
	Arch   uint32 // AUDIT_ARCH_*
	IP     uint64
	Args   [6]uint64
}

// Native returns a call of the architecture of this program.
func Native(number uintptr, args ...uint64) Call {
	c := Call{Number: uint32(number)}
	if a := native(); a != nil {
		c.Arch = a.audit
	}
	copy(c.Args[:], args)
	return c
}

// Answer runs the filter as the kernel does. The result is SECCOMP_RET_* with its data.
func (f *Filter) Answer(c Call) uint32 {
	ret, ok := run(f.Program, c)
	if !ok {
		return unix.SECCOMP_RET_KILL_PROCESS
	}
	return ret
}

// Allows reports whether a call is executed at once, without asking a tracer or an agent.
func (f *Filter) Allows(c Call) bool {
	switch f.Answer(c) & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG:
		return true
	}
	return false
}

// run runs a filter. ok is false for a program that the kernel would refuse.
func run(program []Instruction, c Call) (ret uint32, ok bool) {
	ret, _, ok = runCounted(program, c)
	return ret, ok
}

// runCounted is run that also counts the instructions.
func runCounted(program []Instruction, c Call) (ret uint32, steps int, ok bool) {
	var a, x uint32
	var memory [16]uint32
	data := c.words()
	for pc := 0; pc < len(program); pc++ {
		steps++
		i := &program[pc]
		operand := i.K
		if i.Code&unix.BPF_X != 0 {
			operand = x
		}
		jump := func(yes bool) {
			if yes {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		}
		switch i.Code {
		case opLoad:
			if i.K%4 != 0 || i.K/4 >= uint32(len(data)) {
				return 0, steps, false
			}
			a = data[i.K/4]
		case unix.BPF_LD | unix.BPF_IMM:
			a = i.K
		case unix.BPF_LDX | unix.BPF_IMM:
			x = i.K
		case unix.BPF_LD | unix.BPF_MEM, unix.BPF_LDX | unix.BPF_MEM, unix.BPF_ST, unix.BPF_STX:
			if i.K >= uint32(len(memory)) {
				return 0, steps, false
			}
			switch i.Code {
			case unix.BPF_LD | unix.BPF_MEM:
				a = memory[i.K]
			case unix.BPF_LDX | unix.BPF_MEM:
				x = memory[i.K]
			case unix.BPF_ST:
				memory[i.K] = a
			default:
				memory[i.K] = x
			}
		case unix.BPF_MISC | unix.BPF_TAX:
			x = a
		case unix.BPF_MISC | unix.BPF_TXA:
			a = x
		case opAnd, opAnd | unix.BPF_X:
			a &= operand
		case opJump:
			pc += int(i.K)
		case opJumpEqual, opJumpEqual | unix.BPF_X:
			jump(a == operand)
		case opJumpGreater, opJumpGreater | unix.BPF_X:
			jump(a > operand)
		case opJumpAtLeast, opJumpAtLeast | unix.BPF_X:
			jump(a >= operand)
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, unix.BPF_JMP | unix.BPF_JSET | unix.BPF_X:
			jump(a&operand != 0)
		case opReturn:
			return i.K, steps, true
		case unix.BPF_RET | unix.BPF_A:
			return a, steps, true
		default:
			return 0, steps, false
		}
	}
	return 0, steps, false
}

// words returns struct seccomp_data as words, in the byte order of the architecture.
func (c *Call) words() [16]uint32 {
	w := [16]uint32{c.Number, c.Arch}
	put := func(at int, v uint64) {
		if c.Arch&auditLE != 0 {
			w[at], w[at+1] = uint32(v), uint32(v>>32)
		} else {
			w[at], w[at+1] = uint32(v>>32), uint32(v)
		}
	}
	put(2, c.IP)
	for i, v := range c.Args {
		put(4+2*i, v)
	}
	return w
}
