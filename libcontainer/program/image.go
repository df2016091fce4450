package program

import (
	"encoding/binary"
	"runtime"
	"syscall"
)

// opSize is the size of an encoded op:
//
//	 0  uint32      system call or pseudo-op
//	 4  uint8       which arguments are words, bit 0 is the first
//	 5  uint8       bit 0: repeat after EAGAIN
//	 8  uint32      where to store the result, 0 for nowhere
//	12  uint32      where to go after an allowed error: the distance from
//	                the first op, 0 for the next op
//	16  [8]uint8    allowed errors, 255 for any, 0 for none
//	24  [6]uint64   arguments
const opSize = 72

const (
	pageSize   = 4096
	headerELF  = 64
	headerProg = 56
	segments   = 4
)

// What of elf(5) an image needs. Package debug/elf would add a twentieth to the
// start-up time of every command.
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

// Image returns the program as a static ELF executable. It needs no file
// system, no interpreter and no arguments.
func (p *Program) Image() []byte {
	text := interpreterText()
	textOff := headerELF + segments*headerProg
	textLen := textOff + len(text)

	// The alignment of file offsets is that of the largest page of the
	// architectures; the distance of the segments' addresses allows for it.
	align := pageSize
	if runtime.GOARCH == "arm64" {
		align = 65536
	}
	varsOff := roundUp(textLen, align)
	opsOff := roundUp(len(p.consts), 8)
	constLen := opsOff + (len(p.ops)+1)*opSize
	constOff := roundUp(varsOff+len(p.init), align)

	img := make([]byte, constOff+constLen)
	le := binary.LittleEndian

	copy(img, elfIdent)
	le.PutUint16(img[16:], elfExec)
	le.PutUint16(img[18:], machine())
	le.PutUint32(img[20:], 1)
	le.PutUint64(img[24:], uint64(textBase)+uint64(textOff))
	le.PutUint64(img[32:], headerELF)
	le.PutUint16(img[52:], headerELF)
	le.PutUint16(img[54:], headerProg)
	le.PutUint16(img[56:], segments)
	le.PutUint16(img[58:], elfSectionSize) // of which there are none

	n := 0
	segment := func(typ, flags uint32, off int, addr Addr, filesz, memsz, align int) {
		h := img[headerELF+n*headerProg:]
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
	segment(elfLoad, elfR|elfW, varsOff, varsBase, len(p.init), p.vars, align)
	segment(elfLoad, elfR, constOff, constBase, constLen, constLen, align)
	segment(elfGNUStack, elfR|elfW, 0, 0, 0, 0, 16)

	copy(img[textOff:], text)
	copy(img[varsOff:], p.init)
	le.PutUint32(img[varsOff+opsOffset:], uint32(constBase)+uint32(opsOff))
	copy(img[constOff:], p.consts)
	ops := img[constOff+opsOff:]
	for i, o := range p.ops {
		p.encode(ops[i*opSize:(i+1)*opSize], o)
	}
	// Running off the end is an exit, so every program is total.
	p.encode(ops[len(p.ops)*opSize:], &Op{number: uint32(syscall.SYS_EXIT_GROUP), target: noLabel})
	return img
}

func (p *Program) encode(e []byte, o *Op) {
	putUint32(e[0:], o.number)
	for i, a := range o.args {
		if a.word {
			e[4] |= 1 << i
		}
		putUint64(e[24+8*i:], a.value)
	}
	if o.retry {
		e[5] |= 1
	}
	putUint32(e[8:], uint32(o.store))
	if o.target != noLabel {
		putUint32(e[12:], uint32(p.labels[o.target]*opSize))
	}
	for i, errno := range o.allowed {
		e[16+i] = byte(errno)
	}
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
