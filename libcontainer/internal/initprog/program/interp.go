//go:build amd64 || arm64

package program

import (
	"bytes"
	"unsafe"
)

// interpreter is the code that runs ops. It is never called: its bytes are
// copied into images, see interp_amd64.s and interp_arm64.s.
//
//lint:ignore U1000 it is here to tell vet what the assembly defines
func interpreter()

// interpreterPC returns the address of the interpreter's first instruction.
func interpreterPC() uintptr

// interpreterEnd follows the interpreter's last instruction.
const interpreterEnd = "CORACLE.INTERP.E"

// maxInterpreter limits the search for interpreterEnd.
const maxInterpreter = 4096

// interpreterText returns the interpreter's machine code.
func interpreterText() []byte {
	start := interpreterPC()
	text := unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&start))), maxInterpreter)
	n := bytes.Index(text, []byte(interpreterEnd))
	if n < 0 {
		panic("program: the interpreter has no end")
	}
	return text[:n:n]
}
