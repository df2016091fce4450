package protocol

import (
	"encoding/binary"
	"fmt"
)

// MessageSize is the size of every message of a program, in bytes.
const MessageSize = 16

// Kind is the kind of a [Message].
type Kind uint32

const (
	// KindFailure reports a failed op, see [Message.Failure]. The interpreter sends it, and the
	// program ends.
	KindFailure Kind = 1 + iota
	// KindSync means that the program has reached a [Point] and waits for an answer.
	KindSync
	// KindValue passes a [Value].
	KindValue
	// KindDone means that a [Stage] of the program is complete.
	KindDone
)

// Message is a message of an init program to the runtime. The meaning of A, B and C depends on
// the kind; use the constructors and accessors.
type Message struct {
	Kind    Kind
	A, B, C uint32
}

// Encode returns the message in its wire format.
func (m Message) Encode() []byte {
	p := make([]byte, MessageSize)
	binary.LittleEndian.PutUint32(p[0:], uint32(m.Kind))
	binary.LittleEndian.PutUint32(p[4:], m.A)
	binary.LittleEndian.PutUint32(p[8:], m.B)
	binary.LittleEndian.PutUint32(p[12:], m.C)
	return p
}

// Decode decodes a message; ok is false when p is not exactly one.
func Decode(p []byte) (m Message, ok bool) {
	if len(p) != MessageSize {
		return Message{}, false
	}
	return Message{
		Kind: Kind(binary.LittleEndian.Uint32(p[0:])),
		A:    binary.LittleEndian.Uint32(p[4:]),
		B:    binary.LittleEndian.Uint32(p[8:]),
		C:    binary.LittleEndian.Uint32(p[12:]),
	}, true
}

// Acknowledgement is the answer on which a program continues. Its content does not matter.
var Acknowledgement [MessageSize]byte

// HomeSize is the space for the answer to [PointReady], including "HOME=" and NUL, in bytes.
const HomeSize = 4096

// Sync returns the message of a point without further data.
func Sync(p Point) Message { return Message{Kind: KindSync, A: uint32(p)} }

// Done returns the message for the completion of a stage.
func Done(s Stage) Message { return Message{Kind: KindDone, A: uint32(s)} }

// Started returns [StageStarted] with a listener that the runtime has to take.
func Started(l Listener) Message {
	return Message{Kind: KindDone, A: uint32(StageStarted), B: uint32(l)}
}

// Listener returns how the runtime gets the seccomp listener ([StageStarted]).
func (m Message) Listener() Listener { return Listener(m.B) }

// ValueOf returns the message that passes a value. Its number is in B.
func ValueOf(v Value) Message { return Message{Kind: KindValue, A: uint32(v)} }

// CopyUp asks for copying files into a tmpfs of mounts, given by its index. The message carries
// the tmpfs; the directory to copy came with [ValueCopyFrom].
func CopyUp(mount int, takes Takes) Message {
	return Message{Kind: KindSync, A: uint32(PointCopyUp), B: uint32(mount), C: uint32(takes)}
}

// IsSync reports whether the message announces a point.
func (m Message) IsSync(p Point) bool { return m.Kind == KindSync && m.A == uint32(p) }

// IsDone reports whether the message announces a stage.
func (m Message) IsDone(s Stage) bool { return m.Kind == KindDone && m.A == uint32(s) }

// IsValue reports whether the message passes a value.
func (m Message) IsValue(v Value) bool { return m.Kind == KindValue && m.A == uint32(v) }

// Point returns the point that a program has reached; ok is false for another kind of message.
func (m Message) Point() (p Point, ok bool) { return Point(m.A), m.Kind == KindSync }

// Pid returns the process id of [ValuePid].
func (m Message) Pid() int { return int(m.B) }

// Notice returns the message for a warning, by its index in the notices of a program.
func Notice(index int) Message {
	return Message{Kind: KindValue, A: uint32(ValueNotice), B: uint32(index)}
}

// Notice returns the index of a warning in the notices of the program ([ValueNotice]).
func (m Message) Notice() int { return int(m.B) }

// Mount returns the index in mounts for [PointCopyUp], [PointMakeDir], [PointMakeFile] and
// [PointPlace], or [Cwd].
func (m Message) Mount() uint32 { return m.B }

// Device returns the index in linux.devices for [PointMakeDir], [PointMakeFile] and [PointPlace];
// ok is false when they are for something else.
func (m Message) Device() (index int, ok bool) {
	return int(m.B - firstDevice), m.B >= firstDevice && m.B < firstProtected
}

// Protected is the index in linux.readonlyPaths, or after all of those in linux.maskedPaths, that
// [PointPlace] is about; ok is false when it is about something else.
func (m Message) Protected() (index int, ok bool) {
	return int(m.B - firstProtected), m.B >= firstProtected && m.B != Cwd
}

// Result is the result of an order ([ValueResult]): a number, or an errno when it is negative.
func (m Message) Result() int { return int(int32(m.B)) }

// InMount returns the number of the mount for [PointPlace].
func (m Message) InMount() uint32 { return m.C }

// MountNumber is which of the mounts that a program makes [ValueMount] is about, in their order,
// and the number that the kernel has given it. The rootfs is the first.
func (m Message) MountNumber() (nth int, number uint32) { return int(m.B), m.C }

// Takes returns what the root of a tmpfs takes from its mount point ([PointCopyUp]).
func (m Message) Takes() Takes { return Takes(m.C) }

// NoLinks reports whether symbolic links must not be followed ([PointMakeDir], [PointMakeFile]).
func (m Message) NoLinks() bool { return m.C != 0 }

// Source returns the number of a source ([PointSource]): the program's descriptor of it, or one
// from [LaterSource] on. apart reports whether the tree is to be taken from a copy of the mount
// namespace.
func (m Message) Source() (number int, apart bool) { return int(m.B), m.C == SourceApart }

// Failure returns the failed op, as its distance in bytes from the first one, and the errno
// ([KindFailure]).
func (m Message) Failure() (offset, errno uint32) { return m.A, m.B }

// String returns the message as text for listings and logs: "sync hooks", "done created".
func (m Message) String() string {
	switch m.Kind {
	case KindFailure:
		return fmt.Sprintf("failure at %d: errno %d", m.A, m.B)
	case KindSync:
		return "sync " + Point(m.A).String()
	case KindValue:
		return "value " + Value(m.A).String()
	case KindDone:
		return "done " + Stage(m.A).String()
	}
	return fmt.Sprintf("message of kind %d", m.Kind)
}
