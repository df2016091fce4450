#include "textflag.h"

// handler is called by the kernel, on the signal stack of some thread, with the number
// of the signal in DI. The kernel has saved all registers and puts them back.
TEXT handler<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	SUBQ $8, SP
	MOVB DI, 0(SP)
	MOVL ·pipeFD(SB), DI
	MOVQ SP, SI
	MOVL $1, DX
	MOVL $1, AX              // write
	SYSCALL
	ADDQ $8, SP
	RET                      // to restorer

TEXT restorer<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVL $15, AX             // rt_sigreturn
	SYSCALL
	UNDEF

// func handlerPC() uint64
TEXT ·handlerPC(SB), NOSPLIT, $0-8
	LEAQ handler<>(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// func restorerPC() uint64
TEXT ·restorerPC(SB), NOSPLIT, $0-8
	LEAQ restorer<>(SB), AX
	MOVQ AX, ret+0(FP)
	RET
