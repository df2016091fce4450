#include "textflag.h"

// handler is called by the kernel, on the signal stack of some thread, with the number
// of the signal in R0. The kernel has saved all registers and puts them back; it returns
// through the vDSO.
TEXT handler<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	SUB  $16, RSP
	MOVB R0, 0(RSP)
	MOVW ·pipeFD(SB), R0
	MOVD RSP, R1
	MOVD $1, R2
	MOVD $64, R8             // write
	SVC
	ADD  $16, RSP
	RET

// restorer is not used: see saRestorer.
TEXT restorer<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVD $139, R8            // rt_sigreturn
	SVC
	UNDEF

// func handlerPC() uint64
TEXT ·handlerPC(SB), NOSPLIT, $0-8
	MOVD $handler<>(SB), R0
	MOVD R0, ret+0(FP)
	RET

// func restorerPC() uint64
TEXT ·restorerPC(SB), NOSPLIT, $0-8
	MOVD $restorer<>(SB), R0
	MOVD R0, ret+0(FP)
	RET
