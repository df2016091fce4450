package program

//lint:file-ignore U1000 the interpreter uses these constants, in assembly

import (
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/protocol"
)

// Constants for the interpreter, besides those of image.go and builder.go.
const (
	maxRepeats   = 100_000 // how often a program repeats ops after EAGAIN, in total
	maxErrno     = 4095    // results from -maxErrno to -1 are errors
	messageA     = 4       // offsets in an encoded protocol.Message
	messageB     = 8
	errEINTR     = int(unix.EINTR)
	errEAGAIN    = int(unix.EAGAIN)
	msgNoSignal  = unix.MSG_NOSIGNAL
	messageSize  = protocol.MessageSize
	sysExitGroup = unix.SYS_EXIT_GROUP
)
