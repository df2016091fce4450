#include "go_asm.h"
#include "textflag.h"

// The interpreter of init programs for arm64. image.go has its loop in pseudo-code, and the
// offsets of ops (const_op...); builder.go has those of the variable segment. The code is
// copied to another address, so it may refer to nothing outside of itself.
//
//	R20  the op being run
//	R21  the variable segment
//	R22  how many more times an op may be repeated after EAGAIN
TEXT ·interpreter(SB), NOSPLIT|NOFRAME, $0-0
	MOVD  $const_varsBase, R21
	MOVWU const_opsOffset(R21), R20
	MOVD  $const_maxRepeats, R22

run:
	MOVWU 0(R20), R8
	CMPW  $const_opCheck, R8
	BHS   pseudo

	// Arguments: a constant, or the word that it points to.
	MOVBU const_opWords(R20), R9
	MOVD  const_opArgs(R20), R0
	TBZ   $0, R9, arg1
	MOVW  (R0), R0

arg1:
	MOVD (const_opArgs+8)(R20), R1
	TBZ  $1, R9, arg2
	MOVW (R1), R1

arg2:
	MOVD (const_opArgs+16)(R20), R2
	TBZ  $2, R9, arg3
	MOVW (R2), R2

arg3:
	MOVD (const_opArgs+24)(R20), R3
	TBZ  $3, R9, arg4
	MOVW (R3), R3

arg4:
	MOVD (const_opArgs+32)(R20), R4
	TBZ  $4, R9, arg5
	MOVW (R4), R4

arg5:
	MOVD (const_opArgs+40)(R20), R5
	TBZ  $5, R9, call
	MOVW (R5), R5

call:
	SVC
	CMN $const_maxErrno, R0
	BHS error

	MOVWU const_opStore(R20), R10
	CBZW  R10, next
	MOVW  R0, (R10)

next:
	ADD $const_opSize, R20
	B   run

error:
	NEGW R0, R0
	ADD  $const_opAllowed, R20, R11
	MOVD $const_maxAllowed, R12

allowed:
	MOVBU (R11), R13
	CMPW  R13, R0
	BEQ   permitted
	CMPW  $const_AnyError, R13
	BEQ   permitted
	ADD   $1, R11
	SUBS  $1, R12
	BNE   allowed

	CMPW  $const_errEINTR, R0
	BEQ   run
	CMPW  $const_errEAGAIN, R0
	BNE   fail
	MOVBU const_opFlags(R20), R13
	TBZ   $const_flagRetryBit, R13, fail
	SUBS  $1, R22
	BNE   run

fail:
	MOVW  R0, (const_reportOffset+const_messageB)(R21)
	MOVWU const_opsOffset(R21), R10
	SUB   R10, R20, R20
	MOVW  R20, (const_reportOffset+const_messageA)(R21)
	MOVW  const_failFDOffset(R21), R0
	ADD   $const_reportOffset, R21, R1
	MOVD  $const_messageSize, R2
	MOVD  $const_msgNoSignal, R3
	MOVD  $0, R4
	MOVD  $0, R5
	MOVWU const_callOffset(R21), R8 // sendto, or write
	SVC
	MOVD  $1, R0
	MOVD  $const_sysExitGroup, R8
	SVC
	UNDEF

permitted:
	MOVBU const_opFlags(R20), R13
	TBZ   $const_flagStoreErrorBit, R13, branch
	MOVWU const_opStore(R20), R10
	NEGW  R0, R0
	MOVW  R0, (R10)

branch:
	MOVWU const_opTarget(R20), R10
	CBZW  R10, next

jump:
	MOVWU const_opsOffset(R21), R20
	ADD   R10, R20
	B     run

pseudo:
	MOVWU const_opArgs(R20), R1
	SUBSW $const_opCheck, R8
	BEQ   check
	SUBSW $1, R8
	BEQ   jumpif
	SUBSW $1, R8
	BEQ   branch
	SUBSW $1, R8
	BEQ   set

	MOVWU (R1), R10
	MOVWU (const_opArgs+8)(R20), R11
	ADDW  R11, R10
	MOVW  R10, (R1)
	B     next

set:
	MOVD  (const_opArgs+8)(R20), R10
	MOVBU const_opWords(R20), R9
	TBZ   $1, R9, assign
	MOVWU (R10), R10

assign:
	MOVW R10, (R1)
	B    next

check:
	MOVWU (R1), R10
	MOVWU (const_opArgs+8)(R20), R11
	ANDW  R11, R10
	MOVD  (const_opArgs+16)(R20), R11
	MOVBU const_opWords(R20), R9
	TBZ   $2, R9, compare
	MOVWU (R11), R11

compare:
	CMPW  R11, R10
	BEQ   next
	MOVWU (const_opArgs+24)(R20), R0
	MOVWU const_opTarget(R20), R10
	CBNZW R10, jump
	B     fail

jumpif:
	MOVWU (R1), R10
	MOVWU (const_opArgs+8)(R20), R11
	ANDW  R11, R10
	MOVWU (const_opArgs+16)(R20), R11
	CMPW  R11, R10
	BNE   next
	B     branch

	// interpreterEnd
	WORD $0x41524f43
	WORD $0x2e454c43
	WORD $0x45544e49
	WORD $0x452e5052

// func interpreterPC() uintptr
TEXT ·interpreterPC(SB), NOSPLIT, $0-8
	MOVD $·interpreter(SB), R0
	MOVD R0, ret+0(FP)
	RET
