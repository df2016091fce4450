package program

import "encoding/binary"

// Kind says what a [Message] is about.
type Kind uint32

const (
	// KindError reports a failed op: A is the index of the op, B the errno.
	// The interpreter sends it; the program has ended when it arrives.
	KindError Kind = 1 + iota
	// KindSync says that the program has reached the sync point A and waits
	// for an answer.
	KindSync
	// KindValue hands over a number: B, of the sort A.
	KindValue
	// KindDone says that the stage A of the program is complete.
	KindDone
)

// ProcessName is the name (comm) that a process has to give itself before it announces its
// execve. execve names a process after the last component of a path, which can have no slash,
// so the name tells whether there has been an execve, also when the process has died since.
const ProcessName = "coracle/init"

// MessageSize is the size of every message of the program.
const MessageSize = 16

// Message is what an init program says to the runtime.
type Message struct {
	Kind    Kind
	A, B, C uint32
}

// Encode returns the message as the program sends it.
func (m Message) Encode() []byte {
	p := make([]byte, MessageSize)
	binary.LittleEndian.PutUint32(p[0:], uint32(m.Kind))
	binary.LittleEndian.PutUint32(p[4:], m.A)
	binary.LittleEndian.PutUint32(p[8:], m.B)
	binary.LittleEndian.PutUint32(p[12:], m.C)
	return p
}

// DecodeMessage reads a message; ok is false when p is not exactly one.
func DecodeMessage(p []byte) (m Message, ok bool) {
	if len(p) != MessageSize {
		return Message{}, false
	}
	m = Message{
		Kind: Kind(binary.LittleEndian.Uint32(p[0:])),
		A:    binary.LittleEndian.Uint32(p[4:]),
		B:    binary.LittleEndian.Uint32(p[8:]),
		C:    binary.LittleEndian.Uint32(p[12:]),
	}
	if m.Kind == KindError {
		// The interpreter reports the op's distance from the first op.
		m.A /= opSize
	}
	return m, true
}
