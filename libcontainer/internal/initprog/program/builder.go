package program

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/failpoint"
	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/initprog/protocol"
)

// Addr is an address in the memory of the init program. Addresses are final when the builder
// returns them, so a pointer is a constant.
type Addr uint32

// Addresses of the image's three segments. They share one 2 MiB region so that an ordinary
// program needs a single page of page tables.
const (
	textBase  Addr = 0x400000 // the interpreter, read and execute
	varsBase  Addr = 0x410000 // words, read and write
	zeroBase  Addr = 0x420000 // buffers, which take no space in the image
	constBase Addr = 0x500000 // ops and strings, read only
)

// maxZero is the space between zeroBase and constBase.
const maxZero = int(constBase - zeroBase)

// The interpreter knows the head of the variable segment.
const (
	failFDOffset = 0  // the descriptor for the report of a failed op
	opsOffset    = 4  // the address of the first op
	reportOffset = 8  // the Message for the report
	callOffset   = 24 // the system call that sends the report
	headerSize   = 32 // first offset for the program's own variables
)

// FailFD is the word with the descriptor on which a failed op reports. A program may change it;
// -1 means no report.
const FailFD Word = Word(varsBase + failFDOffset)

// ReportCall is the word with the number of the system call that sends the report of a failed op:
// sendto, which a program may change into write.
const ReportCall Word = Word(varsBase + callOffset)

// Word is the address of a 32-bit variable. As an argument it means the variable's value when the
// op runs, sign-extended to 64 bits.
type Word Addr

// Arg is one argument of a system call.
type Arg struct {
	value  uint64
	word   bool
	format format
}

// format says how a listing shows a constant argument.
type format uint8

const (
	formatDec format = iota
	formatHex
	formatOctal
	formatString  // address of a NUL-terminated string
	formatAddress // address of anything else
	formatFD
	formatWord  // address of a word
	formatFlags // first of the flag sets; see listing.go
)

// Int is a plain number.
func Int[T ~int | ~int32 | ~int64 | ~uint | ~uint32 | ~uint64 | ~uintptr](v T) Arg {
	return Arg{value: uint64(v)}
}

// Hex is a number that listings show in hexadecimal.
func Hex(v uint64) Arg { return Arg{value: v, format: formatHex} }

// Mode is a file mode, shown in octal.
func Mode(v uint32) Arg { return Arg{value: uint64(v), format: formatOctal} }

// FD is a descriptor whose number is known at compile time, such as an inherited one.
func FD(n int) Arg { return Arg{value: uint64(int64(n)), format: formatFD} }

// OpenFlags are the flags of open(2) as an argument of another call.
func OpenFlags(v uint64) Arg { return flag(formatOpen, v) }

// Ptr is the address of a buffer or structure.
func Ptr(a Addr) Arg { return Arg{value: uint64(a), format: formatAddress} }

// Arg passes the word's value at run time as an argument.
func (w Word) Arg() Arg { return Arg{value: uint64(w), word: true} }

// Addr returns the address of the word itself.
func (w Word) Addr() Addr { return Addr(w) }

// Label is a place in the program that ops can continue at. It is made by
// [Builder.Label] and placed by [Builder.Bind].
type Label int

// AnyError in the list of allowed errors allows all errors.
const AnyError syscall.Errno = 255

// maxAllowed is the maximum number of allowed errors of an op.
const maxAllowed = 8

// pseudo-op numbers lie far above all system calls.
const (
	opCheck uint32 = 0x1000 + iota // (word & mask) == value, or else
	opJumpIf
	opJump
	opSet
	opAdd
)

// Op is one step of a program that is being built. Its methods return the op, so that calls can
// be chained.
type Op struct {
	b *Builder
	n int
}

// code is the encoded op; image.go has the format.
func (o Op) code() []byte { return o.b.code[o.n*opSize:][:opSize] }

// Into stores the result of a successful call in w.
func (o Op) Into(w Word) Op {
	putUint32(o.code()[opStore:], uint32(w))
	return o
}

// Allow lets the program continue after the given errors: at [Op.Else] if that is set, otherwise
// with the next op.
func (o Op) Allow(errs ...syscall.Errno) Op {
	list := o.code()[opAllowed:][:maxAllowed]
	n := 0
	for n < maxAllowed && list[n] != 0 {
		n++
	}
	if n+len(errs) > maxAllowed {
		panic(fmt.Sprintf("program: more than %d allowed errors", maxAllowed))
	}
	for i, e := range errs {
		list[n+i] = byte(e)
	}
	return o
}

// Else sets where to continue after an allowed error, or when a check does not hold.
func (o Op) Else(l Label) Op {
	o.b.jumps = append(o.b.jumps, jump{o.n, l})
	return o
}

// RetryEAGAIN repeats the call while it fails with EAGAIN. openat2 does so when a rename races
// with a lookup that must not leave its root. The interpreter limits the total number of
// repetitions.
func (o Op) RetryEAGAIN() Op {
	o.code()[opFlags] |= flagRetry
	return o
}

// KeepError allows any error, and stores it, negated, in the place for the result.
func (o Op) KeepError() Op {
	o.code()[opFlags] |= flagStoreError
	return o.Allow(AnyError)
}

// jump is an op that needs the address of a label.
type jump struct {
	op int
	to Label
}

// about is the host-side information about an op.
type about struct {
	note    *Note
	nargs   uint8
	formats [6]format
}

// Step names a step of a program.
type Step string

// Note describes for people what an op is for. The zero Note is valid. A program has hundreds of
// notes and rarely needs one, so the text is built only when it is read.
type Note struct {
	// Step is a short identifier for programs. It does not depend on What, and is the same for
	// each mount.
	Step Step
	// What is the purpose, Object is what it applies to, which is shown in quotes, and At is
	// where, if not empty: `mount "proc" at "/proc"`.
	What, Object, At string
	// Property is the path of the property that caused the op: "root.path". A # in it is replaced
	// by Index: "mounts[#].source".
	Property string
	Index    int
	// Explain, when set, replaces the usual text for some errors. It returns the empty string for
	// all others.
	Explain func(syscall.Errno) string
	// Hint, when set, returns advice for some errors, which the text has in parentheses at its
	// end.
	Hint func(syscall.Errno) string
	// Code, when set, returns the code of some errors, where their other facts do not tell it.
	Code func(syscall.Errno) fault.Code
	// HostPath is the path of the host that the step is about. An absolute Object is one of
	// the container where there is none.
	HostPath string
}

// Text returns the purpose.
func (n *Note) Text() string {
	s := n.What
	if n.Object != "" {
		s += " " + strconv.Quote(n.Object)
	}
	if n.At != "" {
		s += " at " + strconv.Quote(n.At)
	}
	return s
}

// ContainerPath is the path in the container that the step is about.
func (n *Note) ContainerPath() string {
	switch {
	case n.At != "":
		return n.At
	case n.HostPath == "" && strings.HasPrefix(n.Object, "/"):
		return n.Object
	}
	return ""
}

// Where returns the property with its index.
func (n *Note) Where() string {
	return strings.Replace(n.Property, "#", strconv.Itoa(n.Index), 1)
}

// Subject returns what an error is about: the purpose with the property.
func (n *Note) Subject() string {
	s := n.Text()
	if n.Property != "" {
		s += " (" + n.Where() + ")"
	}
	return s
}

// Builder collects the ops and the data of a program.
type Builder struct {
	code    []byte // the encoded ops
	about   []about
	jumps   []jump
	consts  []byte
	init    []byte // the variables with initial values
	zero    int    // bytes used for buffers, which are initially zero
	strings map[string]Addr
	lookups map[Lookup]Addr
	names   []placeName // of variables, for listings
	labels  []int
	forget  int // the op that Forget made, 0 for none
	note    *Note
	broken  broken
	err     error
}

// usualOps is the capacity of a new program. What is not used of it costs nothing: the kernel
// gives memory when it is touched. To grow costs a copy, and as many page faults again.
const usualOps = 1024

// NewBuilder returns an empty program whose failure descriptor is failFD.
func NewBuilder(failFD int) *Builder {
	b := &Builder{
		code:    make([]byte, 0, usualOps*opSize),
		about:   make([]about, 0, usualOps),
		consts:  make([]byte, 0, 8<<10),
		strings: make(map[string]Addr, 64),
		lookups: make(map[Lookup]Addr, 8),
		names:   make([]placeName, 0, 64),
		note:    &Note{},
	}
	if failpoint.Enabled {
		b.broken.op, b.broken.kind = failpoint.Op()
	}
	b.init = make([]byte, headerSize, 1<<10)
	putUint32(b.init[failFDOffset:], uint32(int32(failFD)))
	putUint32(b.init[reportOffset:], uint32(protocol.KindFailure))
	putUint32(b.init[callOffset:], unix.SYS_SENDTO)
	b.name(FailFD.Addr(), "failfd")
	b.name(ReportCall.Addr(), "reportcall")
	return b
}

// Grow makes room for n more ops.
func (b *Builder) Grow(n int) {
	b.code = slices.Grow(b.code, n*opSize)
	b.about = slices.Grow(b.about, n)
}

// Describe sets the note of all ops that follow, and returns the previous one so that a helper
// can restore it.
func (b *Builder) Describe(n Note) (previous *Note) {
	previous, b.note = b.note, &n
	return previous
}

// Note returns the current note.
func (b *Builder) Note() *Note { return b.note }

// Restore sets a note that [Builder.Describe] returned.
func (b *Builder) Restore(n *Note) { b.note = n }

// String places a NUL-terminated string in the read-only segment. Equal strings are stored once.
// A string with a NUL inside makes [Builder.Finish] fail.
func (b *Builder) String(s string) Arg {
	return Arg{value: uint64(b.StringAddr(s)), format: formatString}
}

// StringAddr is String for callers that need the bare address.
func (b *Builder) StringAddr(s string) Addr {
	if a, ok := b.strings[s]; ok {
		return a
	}
	for i := range len(s) {
		if s[i] == 0 && b.err == nil {
			b.err = fmt.Errorf("%q has a NUL byte in it", s)
		}
	}
	a := b.constAddr()
	b.consts = append(b.consts, s...)
	b.consts = append(b.consts, 0)
	b.strings[s] = a
	return a
}

// Bytes places read-only data, aligned to 8 bytes.
func (b *Builder) Bytes(p []byte) Addr {
	for len(b.consts)%8 != 0 {
		b.consts = append(b.consts, 0)
	}
	a := b.constAddr()
	b.consts = append(b.consts, p...)
	return a
}

// Struct64 places a read-only structure of 64-bit fields.
func (b *Builder) Struct64(fields ...uint64) Arg { return Ptr(b.Bytes(encode64(fields...))) }

// constAddr returns the address of the next constant. In the read-only segment the constants come
// first and the ops follow, because constants get their addresses while the number of ops is not
// known yet.
func (b *Builder) constAddr() Addr { return constBase + Addr(len(b.consts)) }

// Word reserves a variable with an initial value.
func (b *Builder) Word(name string, initial int32) Word {
	a := b.Data(name, []byte{byte(initial), byte(initial >> 8), byte(initial >> 16), byte(initial >> 24)})
	return Word(a)
}

// Data reserves writable memory with initial contents, aligned to 4 bytes.
func (b *Builder) Data(name string, p []byte) Addr {
	for len(b.init)%4 != 0 {
		b.init = append(b.init, 0)
	}
	a := varsBase + Addr(len(b.init))
	b.init = append(b.init, p...)
	if len(b.init) > int(zeroBase-varsBase) && b.err == nil {
		b.err = fmt.Errorf("program needs %d bytes of variables, at most %d fit", len(b.init), zeroBase-varsBase)
	}
	b.name(a, name)
	return a
}

// Buffer reserves n zero bytes of writable memory, aligned to 8 bytes.
func (b *Builder) Buffer(name string, n int) Addr {
	b.zero = (b.zero + 7) &^ 7
	a := zeroBase + Addr(b.zero)
	b.zero += n
	if b.zero > maxZero && b.err == nil {
		b.err = fmt.Errorf("program needs %d bytes of buffers, at most %d fit", b.zero, maxZero)
	}
	b.name(a, name)
	return a
}

// name names a memory location for listings.
func (b *Builder) name(a Addr, name string) {
	b.names = append(b.names, placeName{a, name})
}

type placeName struct {
	at   Addr
	name string
}

// Label returns a new label without a place.
func (b *Builder) Label() Label {
	b.labels = append(b.labels, -1)
	return Label(len(b.labels) - 1)
}

// Bind places a label at the next op.
func (b *Builder) Bind(l Label) { b.labels[l] = len(b.about) }

func (b *Builder) add(number uint32, args ...Arg) Op {
	if failpoint.Enabled {
		b.fail()
	}
	n := len(b.about)
	b.code = append(b.code, make([]byte, opSize)...)
	o := Op{b, n}
	code := o.code()
	putUint32(code, number)
	i := about{note: b.note, nargs: uint8(len(args))}
	for j, a := range args {
		if a.word {
			code[opWords] |= 1 << j
		}
		putUint64(code[opArgs+8*j:], a.value)
		i.formats[j] = a.format
	}
	b.about = append(b.about, i)
	return o
}

// Syscall adds a system call. syscalls.go has a named method for each call that programs use;
// prefer these.
func (b *Builder) Syscall(number uintptr, args ...Arg) Op {
	return b.add(uint32(number), args...)
}

// Check continues with the next op when the masked bits of the word equal value. Otherwise it
// continues at [Op.Else], or fails with errno when there is none.
func (b *Builder) Check(w Word, mask, value uint32, errno syscall.Errno) Op {
	return b.check(formatOfBits(mask), w, mask, value, errno)
}

// CheckFilesystem is [Builder.Check] for the type of a file system, a magic number of statfs(2).
func (b *Builder) CheckFilesystem(s Statfs, magic uint32, errno syscall.Errno) Op {
	return b.check(formatMagic, s.Type(), ^uint32(0), magic, errno)
}

func (b *Builder) check(f format, w Word, mask, value uint32, errno syscall.Errno) Op {
	return b.add(opCheck, wordAt(w), flag(formatOfBits(mask), uint64(mask)), flag(f, uint64(value)), flag(formatErrno, uint64(errno)))
}

// CheckSame is [Builder.Check] for two words that have to be equal.
func (b *Builder) CheckSame(w, other Word, errno syscall.Errno) Op {
	return b.add(opCheck, wordAt(w), flag(formatHex, uint64(^uint32(0))), other.Arg(), flag(formatErrno, uint64(errno)))
}

// formatOfBits returns how a listing shows a mask and the masked bits of a word.
func formatOfBits(mask uint32) format {
	if mask == unix.S_IFMT {
		return formatFileType
	}
	return formatHex
}

// wordAt returns the address of a word that an op itself reads or changes.
func wordAt(w Word) Arg { return Arg{value: uint64(w), format: formatWord} }

// JumpIf continues at l when the masked bits of the word equal value.
func (b *Builder) JumpIf(w Word, mask, value uint32, l Label) Op {
	return b.add(opJumpIf, wordAt(w), flag(formatOfBits(mask), uint64(mask)), flag(formatOfBits(mask), uint64(value))).Else(l)
}

// Jump continues at l.
func (b *Builder) Jump(l Label) Op { return b.add(opJump).Else(l) }

// Set assigns to a word.
func (b *Builder) Set(w Word, value Arg) Op { return b.add(opSet, wordAt(w), value) }

// SetArg is Set for a word that the caller has as an argument.
func (b *Builder) SetArg(word, value Arg) Op { return b.Set(Word(word.value), value) }

// Add adds a constant to a word.
func (b *Builder) Add(w Word, delta int32) Op {
	return b.add(opAdd, wordAt(w), Int(delta))
}

// Fail ends the program with a report of errno, like a failed system call.
func (b *Builder) Fail(errno syscall.Errno) Op {
	// No word is both 0 and 1, so this check never holds.
	return b.add(opCheck, Ptr(FailFD.Addr()), Hex(0), Hex(1), flag(formatErrno, uint64(errno)))
}

// Program is a finished program: an image to run and the notes to explain it.
type Program struct {
	code   []byte
	about  []about
	consts []byte
	init   []byte
	zero   int
	names  []placeName
}

// Finish checks the program and closes the builder.
func (b *Builder) Finish() (*Program, error) {
	if b.err != nil {
		return nil, b.err
	}
	if len(b.about) == 0 {
		return nil, errors.New("program has no ops")
	}
	for _, j := range b.jumps {
		to := b.labels[j.to]
		switch {
		case to < 0:
			return nil, fmt.Errorf("op %d continues at a label that was never placed", j.op)
		case to == 0:
			// In an encoded op 0 means the next op.
			return nil, fmt.Errorf("op %d continues at the start of the program", j.op)
		}
		putUint32(b.code[j.op*opSize+opTarget:], uint32(to*opSize))
	}
	if b.forget > 0 {
		ops := int(constBase) + b.opsOffset()
		from := roundUp(ops, pageSize)
		to := (ops + b.forget*opSize) / pageSize * pageSize
		code := Op{b, b.forget}.code()
		putUint64(code[opArgs:], uint64(from))
		putUint64(code[opArgs+8:], uint64(max(0, to-from)))
	}
	// A program that reaches its end exits.
	b.note = &Note{Step: "end", What: "end"}
	b.Exit(0)
	return &Program{code: b.code, about: b.about, consts: b.consts, init: b.init, zero: b.zero, names: b.names}, nil
}

// opsOffset returns the offset of the ops in the read-only segment.
func (b *Builder) opsOffset() int { return roundUp(len(b.consts), 8) }

// Len is the number of ops.
func (p *Program) Len() int { return len(p.about) }

// Preset changes the initial value of a word.
func (p *Program) Preset(w Word, initial int32) {
	putUint32(p.init[Addr(w)-varsBase:], uint32(initial))
}

// Note returns the note of an op.
func (p *Program) Note(op int) *Note { return p.about[op].note }

func putUint32(p []byte, v uint32) {
	_ = p[3]
	p[0], p[1], p[2], p[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
}

func putUint64(p []byte, v uint64) {
	putUint32(p, uint32(v))
	putUint32(p[4:], uint32(v>>32))
}

// OpCount returns the number of ops so far, which is the index of the next one.
func (b *Builder) OpCount() int { return len(b.about) }
