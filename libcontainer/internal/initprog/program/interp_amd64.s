#include "go_asm.h"
#include "textflag.h"

// The interpreter of init programs for amd64. image.go has its loop in pseudo-code, and the
// offsets of ops (const_op...); builder.go has those of the variable segment. The code is
// copied to another address, so it may refer to nothing outside of itself.
//
//	R12  the op being run
//	R14  how many more times an op may be repeated after EAGAIN
//	R15  the variable segment
TEXT ·interpreter(SB), NOSPLIT|NOFRAME, $0-0
	MOVL $const_varsBase, R15
	MOVL const_opsOffset(R15), R12
	MOVL $const_maxRepeats, R14

run:
	MOVL 0(R12), AX
	CMPL AX, $const_opCheck
	JCC  pseudo

	// Arguments: a constant, or the word that it points to.
	MOVBLZX const_opWords(R12), BX
	MOVQ    const_opArgs(R12), DI
	TESTL   $1, BX
	JEQ     arg1
	MOVLQSX (DI), DI

arg1:
	MOVQ    (const_opArgs+8)(R12), SI
	TESTL   $2, BX
	JEQ     arg2
	MOVLQSX (SI), SI

arg2:
	MOVQ    (const_opArgs+16)(R12), DX
	TESTL   $4, BX
	JEQ     arg3
	MOVLQSX (DX), DX

arg3:
	MOVQ    (const_opArgs+24)(R12), R10
	TESTL   $8, BX
	JEQ     arg4
	MOVLQSX (R10), R10

arg4:
	MOVQ    (const_opArgs+32)(R12), R8
	TESTL   $16, BX
	JEQ     arg5
	MOVLQSX (R8), R8

arg5:
	MOVQ    (const_opArgs+40)(R12), R9
	TESTL   $32, BX
	JEQ     call
	MOVLQSX (R9), R9

call:
	SYSCALL
	CMPQ AX, $-const_maxErrno
	JCC  error

	MOVL  const_opStore(R12), CX
	TESTL CX, CX
	JEQ   next
	MOVL  AX, (CX)

next:
	ADDQ $const_opSize, R12
	JMP  run

error:
	NEGL AX
	LEAQ const_opAllowed(R12), SI
	MOVL $const_maxAllowed, CX

allowed:
	MOVBLZX (SI), DX
	CMPL    DX, AX
	JEQ     permitted
	CMPL    DX, $const_AnyError
	JEQ     permitted
	INCQ    SI
	DECL    CX
	JNE     allowed

	CMPL  AX, $const_errEINTR
	JEQ   run
	CMPL  AX, $const_errEAGAIN
	JNE   fail
	TESTB $const_flagRetry, const_opFlags(R12)
	JEQ   fail
	DECL  R14
	JNE   run

fail:
	MOVL    AX, (const_reportOffset+const_messageB)(R15)
	SUBL    const_opsOffset(R15), R12
	MOVL    R12, (const_reportOffset+const_messageA)(R15)
	MOVLQSX const_failFDOffset(R15), DI
	LEAQ    const_reportOffset(R15), SI
	MOVL    $const_messageSize, DX
	MOVL    $const_msgNoSignal, R10
	XORL    R8, R8
	XORL    R9, R9
	MOVL    const_callOffset(R15), AX // sendto, or write
	SYSCALL
	MOVL    $1, DI
	MOVL    $const_sysExitGroup, AX
	SYSCALL
	UNDEF

permitted:
	TESTB $const_flagStoreError, const_opFlags(R12)
	JEQ   branch
	MOVL  const_opStore(R12), CX
	NEGL  AX
	MOVL  AX, (CX)

branch:
	MOVL  const_opTarget(R12), CX
	TESTL CX, CX
	JEQ   next

jump:
	MOVL const_opsOffset(R15), R12
	ADDQ CX, R12
	JMP  run

pseudo:
	MOVL const_opArgs(R12), SI
	SUBL $const_opCheck, AX
	JEQ  check
	DECL AX
	JEQ  jumpif
	DECL AX
	JEQ  branch
	DECL AX
	JEQ  set

	MOVL (const_opArgs+8)(R12), CX
	ADDL CX, (SI)
	JMP  next

set:
	MOVQ  (const_opArgs+8)(R12), CX
	TESTB $2, const_opWords(R12)
	JEQ   assign
	MOVL  (CX), CX

assign:
	MOVL CX, (SI)
	JMP  next

check:
	MOVL  (SI), CX
	ANDL  (const_opArgs+8)(R12), CX
	MOVQ  (const_opArgs+16)(R12), DX
	TESTB $4, const_opWords(R12)
	JEQ   compare
	MOVL  (DX), DX

compare:
	CMPL CX, DX
	JEQ  next
	MOVL  (const_opArgs+24)(R12), AX
	MOVL  const_opTarget(R12), CX
	TESTL CX, CX
	JNE   jump
	JMP   fail

jumpif:
	MOVL (SI), CX
	ANDL (const_opArgs+8)(R12), CX
	CMPL CX, (const_opArgs+16)(R12)
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
