#include "go_asm.h"
#include "textflag.h"

// func clone(p *Process) int
//
// The new process starts with the registers of this thread, including the stack pointer. It must
// not use the stack, which the thread continues to use.
//
//	R12  the call that comes next, R13 the process
TEXT ·clone(SB), NOSPLIT|NOFRAME, $0-16
	MOVQ p+0(FP), R13

	MOVL $const_sysMask, AX
	MOVL $const_setMask, DI
	LEAQ Process_all(R13), SI
	LEAQ Process_mask(R13), DX
	MOVL $8, R10
	SYSCALL

	MOVL $const_sysClone, AX
	MOVQ Process_flags(R13), DI
	XORL SI, SI
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	SYSCALL
	TESTQ AX, AX
	JEQ  begin

	MOVQ AX, R12
	MOVL $const_sysMask, AX
	MOVL $const_setMask, DI
	LEAQ Process_mask(R13), SI
	XORL DX, DX
	MOVL $8, R10
	SYSCALL
	MOVQ R12, ret+8(FP)
	RET

begin:
	MOVQ Process_next(R13), R12

run:
	MOVQ  Call_Number(R12), AX
	MOVQ  Call_Args(R12), DI
	MOVQ  (Call_Args+8)(R12), SI
	MOVQ  (Call_Args+16)(R12), DX
	MOVQ  Call_First(R12), CX
	TESTQ CX, CX
	JEQ   call
	MOVQ  (CX), DI

call:
	XORL  R10, R10 // the mode of openat
	SYSCALL
	MOVQ  AX, Call_Result(R12)
	DECQ  Process_left(R13)
	JEQ   end
	TESTQ AX, AX
	JLT   end
	ADDQ  $Call__size, R12
	JMP   run

end:
	XORL DI, DI
	MOVL $const_sysExit, AX
	SYSCALL
	UNDEF
