#include "go_asm.h"
#include "textflag.h"

// func clone(p *Process) int
//
// The new process starts with the registers of this thread, including the stack pointer. It must
// not use the stack, which the thread continues to use.
//
//	R19  the call that comes next, R20 the process
TEXT ·clone(SB), NOSPLIT|NOFRAME, $0-16
	MOVD p+0(FP), R20

	MOVD $const_sysMask, R8
	MOVD $const_setMask, R0
	ADD  $Process_all, R20, R1
	ADD  $Process_mask, R20, R2
	MOVD $8, R3
	SVC

	MOVD $const_sysClone, R8
	MOVD Process_flags(R20), R0
	MOVD $0, R1
	MOVD $0, R2
	MOVD $0, R3
	MOVD $0, R4
	SVC
	CBZ  R0, begin

	MOVD R0, R19
	MOVD $const_sysMask, R8
	MOVD $const_setMask, R0
	ADD  $Process_mask, R20, R1
	MOVD $0, R2
	MOVD $8, R3
	SVC
	MOVD R19, ret+8(FP)
	RET

begin:
	MOVD Process_next(R20), R19

run:
	MOVD Call_Number(R19), R8
	MOVD Call_Args(R19), R0
	MOVD (Call_Args+8)(R19), R1
	MOVD (Call_Args+16)(R19), R2
	MOVD Call_First(R19), R3
	CBZ  R3, call
	MOVD (R3), R0

call:
	MOVD $0, R3              // the mode of openat
	SVC
	MOVD R0, Call_Result(R19)
	MOVD Process_left(R20), R4
	SUB  $1, R4
	MOVD R4, Process_left(R20)
	CBZ  R4, end
	TBNZ $63, R0, end
	ADD  $Call__size, R19
	B    run

end:
	MOVD $0, R0
	MOVD $const_sysExit, R8
	SVC
	UNDEF
