package program

import (
	"encoding/binary"
	"runtime"
)

// The interpreter, interp_$GOARCH.s, is this loop:
//
//	for op = first; ; op = next {
//		if op.number is that of a pseudo-op { change or compare a word; goto; continue }
//		a = op.args, where those of op.words are loaded from the word that they point to
//		r = syscall(op.number, a...)
//		if r is no error { if op.store { *op.store = r }; continue }
//		if r is in op.allowed { if flagStoreError { *op.store = -r }; if op.target { next = op.target }; continue }
//		if r is EINTR, or EAGAIN with flagRetry and repeats are left { next = op; continue }
//		report {protocol.KindFailure, op - first, r} to the word failFD by the call in callOffset
//		exit_group(1)
//	}
//
// The format of an encoded op, whose constants the interpreter shares (go_asm.h):
//
//	 0  uint32      system call or pseudo-op
//	 4  uint8       which arguments are words, bit 0 is the first
//	 5  uint8       flags
//	 8  uint32      where to store the result, 0 for nowhere
//	12  uint32      where to go after an allowed error: the distance from
//	                the first op, 0 for the next op
//	16  [8]uint8    allowed errors, 255 for any, 0 for none
//	24  [6]uint64   arguments
const (
	opWords   = 4
	opFlags   = 5
	opStore   = 8
	opTarget  = 12
	opAllowed = 16
	opArgs    = 24
	opSize    = 72

	flagRetryBit = 0
	flagRetry    = 1 << flagRetryBit // repeat after EAGAIN

	flagStoreErrorBit = 1
	flagStoreError    = 1 << flagStoreErrorBit // store an allowed error, negated
)

const (
	pageSize   = 4096
	headerELF  = 64
	headerProg = 56
	segments   = 4
)

// The parts of elf(5) that an image needs. Package debug/elf would add 5% to the start-up time of
// every command.
const (
	elfExec        = 2
	elfX86_64      = 62
	elfAArch64     = 183
	elfLoad        = 1
	elfGNUStack    = 0x6474e551
	elfX, elfW     = 1, 2
	elfR           = 4
	elfIdent       = "\x7fELF\x02\x01\x01" // 64 bits, little-endian, version 1
	elfSectionSize = 64
)

func machine() uint16 {
	if runtime.GOARCH == "arm64" {
		return elfAArch64
	}
	return elfX86_64
}

// Part is a piece of an image and its offset in the file. The space between parts is zero.
type Part struct {
	Offset int64
	Data   []byte
}

// Image returns the program as a static ELF executable. It needs no file
// system, no interpreter and no arguments.
func (p *Program) Image() []Part {
	text := interpreterText()
	textOff := headerELF + segments*headerProg
	textLen := textOff + len(text)

	// File offsets are aligned to the largest page size of the architecture; the addresses of the
	// segments are far enough apart for it.
	align := pageSize
	if runtime.GOARCH == "arm64" {
		align = 65536
	}
	varsOff := roundUp(textLen, align)
	varsLen := len(p.init)
	if p.zero > 0 {
		varsLen = int(zeroBase-varsBase) + p.zero
	}
	constOff := roundUp(varsOff+len(p.init), align)
	opsOff := roundUp(len(p.consts), 8)
	constLen := opsOff + len(p.code)

	head := make([]byte, textLen)
	le := binary.LittleEndian
	copy(head, elfIdent)
	le.PutUint16(head[16:], elfExec)
	le.PutUint16(head[18:], machine())
	le.PutUint32(head[20:], 1)
	le.PutUint64(head[24:], uint64(textBase)+uint64(textOff))
	le.PutUint64(head[32:], headerELF)
	le.PutUint16(head[52:], headerELF)
	le.PutUint16(head[54:], headerProg)
	le.PutUint16(head[56:], segments)
	le.PutUint16(head[58:], elfSectionSize) // with no sections

	n := 0
	segment := func(typ, flags uint32, off int, addr Addr, filesz, memsz, align int) {
		h := head[headerELF+n*headerProg:]
		le.PutUint32(h[0:], typ)
		le.PutUint32(h[4:], flags)
		le.PutUint64(h[8:], uint64(off))
		le.PutUint64(h[16:], uint64(addr))
		le.PutUint64(h[24:], uint64(addr))
		le.PutUint64(h[32:], uint64(filesz))
		le.PutUint64(h[40:], uint64(memsz))
		le.PutUint64(h[48:], uint64(align))
		n++
	}
	segment(elfLoad, elfR|elfX, 0, textBase, textLen, textLen, align)
	segment(elfLoad, elfR|elfW, varsOff, varsBase, len(p.init), varsLen, align)
	segment(elfLoad, elfR, constOff, constBase, constLen, constLen, align)
	segment(elfGNUStack, elfR|elfW, 0, 0, 0, 0, 16)
	copy(head[textOff:], text)

	putUint32(p.init[opsOffset:], uint32(constBase)+uint32(opsOff))
	return []Part{
		{0, head},
		{int64(varsOff), p.init},
		{int64(constOff), p.consts},
		{int64(constOff + opsOff), p.code},
	}
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
