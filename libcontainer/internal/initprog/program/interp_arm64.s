#include "textflag.h"

// The interpreter of init programs for arm64. builder.go has the meaning of
// ops, image.go their encoding. The code is copied to another address, so it
// may refer to nothing outside of itself.
//
//	R20  the op being run
//	R21  the variable segment: +0 failure descriptor, +4 first op, +8 report,
//	     +24 system call that reports
//	R22  how many more times an op may be repeated after EAGAIN
TEXT ·interpreter(SB), NOSPLIT|NOFRAME, $0-0
	MOVD  $0x410000, R21
	MOVWU 4(R21), R20
	MOVD  $100000, R22

run:
	MOVWU 0(R20), R8
	CMPW  $0x1000, R8
	BHS   pseudo

	// Arguments: a constant, or the word that it points to.
	MOVBU 4(R20), R9
	MOVD  24(R20), R0
	TBZ   $0, R9, arg1
	MOVW  (R0), R0

arg1:
	MOVD 32(R20), R1
	TBZ  $1, R9, arg2
	MOVW (R1), R1

arg2:
	MOVD 40(R20), R2
	TBZ  $2, R9, arg3
	MOVW (R2), R2

arg3:
	MOVD 48(R20), R3
	TBZ  $3, R9, arg4
	MOVW (R3), R3

arg4:
	MOVD 56(R20), R4
	TBZ  $4, R9, arg5
	MOVW (R4), R4

arg5:
	MOVD 64(R20), R5
	TBZ  $5, R9, call
	MOVW (R5), R5

call:
	SVC
	CMN $4095, R0
	BHS error

	MOVWU 8(R20), R10
	CBZW  R10, next
	MOVW  R0, (R10)

next:
	ADD $72, R20
	B   run

error:
	NEGW R0, R0
	ADD  $16, R20, R11
	MOVD $8, R12

allowed:
	MOVBU (R11), R13
	CMPW  R13, R0
	BEQ   branch
	CMPW  $255, R13
	BEQ   branch
	ADD   $1, R11
	SUBS  $1, R12
	BNE   allowed

	CMPW  $4, R0             // EINTR
	BEQ   run
	CMPW  $11, R0            // EAGAIN
	BNE   fail
	MOVBU 5(R20), R13
	TBZ   $0, R13, fail
	SUBS  $1, R22
	BNE   run

fail:
	MOVW  R0, 16(R21)
	MOVWU 4(R21), R10
	SUB   R10, R20, R20
	MOVW  R20, 12(R21)
	MOVW  0(R21), R0
	ADD   $8, R21, R1
	MOVD  $16, R2
	MOVD  $0x4000, R3        // MSG_NOSIGNAL
	MOVD  $0, R4
	MOVD  $0, R5
	MOVWU 24(R21), R8        // sendto, or write
	SVC
	MOVD  $1, R0
	MOVD  $94, R8            // exit_group
	SVC
	UNDEF

branch:
	MOVWU 12(R20), R10
	CBZW  R10, next

jump:
	MOVWU 4(R21), R20
	ADD   R10, R20
	B     run

pseudo:
	MOVWU 24(R20), R1
	SUBSW $0x1000, R8
	BEQ   check
	SUBSW $1, R8
	BEQ   jumpif
	SUBSW $1, R8
	BEQ   branch
	SUBSW $1, R8
	BEQ   set

	MOVWU (R1), R10
	MOVWU 32(R20), R11
	ADDW  R11, R10
	MOVW  R10, (R1)
	B     next

set:
	MOVD  32(R20), R10
	MOVBU 4(R20), R9
	TBZ   $1, R9, assign
	MOVWU (R10), R10

assign:
	MOVW R10, (R1)
	B    next

check:
	MOVWU (R1), R10
	MOVWU 32(R20), R11
	ANDW  R11, R10
	MOVWU 40(R20), R11
	CMPW  R11, R10
	BEQ   next
	MOVWU 48(R20), R0
	MOVWU 12(R20), R10
	CBNZW R10, jump
	B     fail

jumpif:
	MOVWU (R1), R10
	MOVWU 32(R20), R11
	ANDW  R11, R10
	MOVWU 40(R20), R11
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
