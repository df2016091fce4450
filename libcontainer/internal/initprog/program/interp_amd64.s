#include "textflag.h"

// The interpreter of init programs for amd64. builder.go has the meaning of
// ops, image.go their encoding. The code is copied to another address, so it
// may refer to nothing outside of itself.
//
//	R12  the op being run
//	R14  how many more times an op may be repeated after EAGAIN
//	R15  the variable segment: +0 failure descriptor, +4 first op, +8 report,
//	     +24 system call that reports
TEXT ·interpreter(SB), NOSPLIT|NOFRAME, $0-0
	MOVL $0x410000, R15
	MOVL 4(R15), R12
	MOVL $100000, R14

run:
	MOVL 0(R12), AX
	CMPL AX, $0x1000
	JCC  pseudo

	// Arguments: a constant, or the word that it points to.
	MOVBLZX 4(R12), BX
	MOVQ    24(R12), DI
	TESTL   $1, BX
	JEQ     arg1
	MOVLQSX (DI), DI

arg1:
	MOVQ    32(R12), SI
	TESTL   $2, BX
	JEQ     arg2
	MOVLQSX (SI), SI

arg2:
	MOVQ    40(R12), DX
	TESTL   $4, BX
	JEQ     arg3
	MOVLQSX (DX), DX

arg3:
	MOVQ    48(R12), R10
	TESTL   $8, BX
	JEQ     arg4
	MOVLQSX (R10), R10

arg4:
	MOVQ    56(R12), R8
	TESTL   $16, BX
	JEQ     arg5
	MOVLQSX (R8), R8

arg5:
	MOVQ    64(R12), R9
	TESTL   $32, BX
	JEQ     call
	MOVLQSX (R9), R9

call:
	SYSCALL
	CMPQ AX, $-4095
	JCC  error

	MOVL  8(R12), CX
	TESTL CX, CX
	JEQ   next
	MOVL  AX, (CX)

next:
	ADDQ $72, R12
	JMP  run

error:
	NEGL AX
	LEAQ 16(R12), SI
	MOVL $8, CX

allowed:
	MOVBLZX (SI), DX
	CMPL    DX, AX
	JEQ     branch
	CMPL    DX, $255
	JEQ     branch
	INCQ    SI
	DECL    CX
	JNE     allowed

	CMPL  AX, $4             // EINTR
	JEQ   run
	CMPL  AX, $11            // EAGAIN
	JNE   fail
	TESTB $1, 5(R12)
	JEQ   fail
	DECL  R14
	JNE   run

fail:
	MOVL    AX, 16(R15)
	SUBL    4(R15), R12
	MOVL    R12, 12(R15)
	MOVLQSX 0(R15), DI
	LEAQ    8(R15), SI
	MOVL    $16, DX
	MOVL    $0x4000, R10     // MSG_NOSIGNAL
	XORL    R8, R8
	XORL    R9, R9
	MOVL    24(R15), AX      // sendto, or write
	SYSCALL
	MOVL    $1, DI
	MOVL    $231, AX         // exit_group
	SYSCALL
	UNDEF

branch:
	MOVL  12(R12), CX
	TESTL CX, CX
	JEQ   next

jump:
	MOVL 4(R15), R12
	ADDQ CX, R12
	JMP  run

pseudo:
	MOVL 24(R12), SI
	SUBL $0x1000, AX
	JEQ  check
	DECL AX
	JEQ  jumpif
	DECL AX
	JEQ  branch
	DECL AX
	JEQ  set

	MOVL 32(R12), CX
	ADDL CX, (SI)
	JMP  next

set:
	MOVQ  32(R12), CX
	TESTB $2, 4(R12)
	JEQ   assign
	MOVL  (CX), CX

assign:
	MOVL CX, (SI)
	JMP  next

check:
	MOVL (SI), CX
	ANDL 32(R12), CX
	CMPL CX, 40(R12)
	JEQ  next
	MOVL  48(R12), AX
	MOVL  12(R12), CX
	TESTL CX, CX
	JNE   jump
	JMP   fail

jumpif:
	MOVL (SI), CX
	ANDL 32(R12), CX
	CMPL CX, 40(R12)
	JNE  next
	JMP  branch

	// interpreterEnd
	BYTE $'C'; BYTE $'O'; BYTE $'R'; BYTE $'A'; BYTE $'C'; BYTE $'L'; BYTE $'E'; BYTE $'.'
	BYTE $'I'; BYTE $'N'; BYTE $'T'; BYTE $'E'; BYTE $'R'; BYTE $'P'; BYTE $'.'; BYTE $'E'

// func interpreterPC() uintptr
TEXT ·interpreterPC(SB), NOSPLIT, $0-8
	LEAQ ·interpreter(SB), AX
	MOVQ AX, ret+0(FP)
	RET
