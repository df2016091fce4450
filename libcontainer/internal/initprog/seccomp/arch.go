package seccomp

import (
	"runtime"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// arch is an architecture as a filter sees it: for each call the kernel gives the filter an
// AUDIT_ARCH_* value and a number.
type arch struct {
	name  specs.Arch
	audit uint32
	// base is added to all numbers.
	base  uint32
	calls *[len(callNames)]int16
	// wide reports whether arguments have 64 bits.
	wide      bool
	bigEndian bool
	// muxes reports whether socket and System V IPC calls go, or may go, through socketcall and
	// ipc.
	muxes bool
}

// Bits of AUDIT_ARCH_*; the rest is the machine of elf.h.
const (
	audit64 = 0x80000000
	auditLE = 0x40000000
	auditN  = 0x20000000 // the n32 ABI of MIPS
)

// x32Bit is set in the numbers of x32, which has the same AUDIT_ARCH as x86_64.
const x32Bit = 0x40000000

// Special values in the tables of numbers.
const (
	privateMark = 0x4000  // first value of the calls that are private to ARM
	privateBase = 0xf0000 // the first number of these calls
)

var arches = [...]arch{
	{name: specs.ArchX86, audit: 3 | auditLE, calls: &callsX86, muxes: true},
	{name: specs.ArchX86_64, audit: 62 | audit64 | auditLE, calls: &callsX86_64, wide: true},
	{name: specs.ArchX32, audit: 62 | audit64 | auditLE, base: x32Bit, calls: &callsX32},
	{name: specs.ArchARM, audit: 40 | auditLE, calls: &callsARM},
	{name: specs.ArchAARCH64, audit: 183 | audit64 | auditLE, calls: &callsAARCH64, wide: true},
	{name: specs.ArchMIPS, audit: 8, base: 4000, calls: &callsMIPS, bigEndian: true, muxes: true},
	{name: specs.ArchMIPS64, audit: 8 | audit64, base: 5000, calls: &callsMIPS64, wide: true, bigEndian: true},
	{name: specs.ArchMIPS64N32, audit: 8 | audit64 | auditN, base: 6000, calls: &callsMIPS64N32, bigEndian: true},
	{name: specs.ArchMIPSEL, audit: 8 | auditLE, base: 4000, calls: &callsMIPS, muxes: true},
	{name: specs.ArchMIPSEL64, audit: 8 | audit64 | auditLE, base: 5000, calls: &callsMIPS64, wide: true},
	{name: specs.ArchMIPSEL64N32, audit: 8 | audit64 | auditLE | auditN, base: 6000, calls: &callsMIPS64N32},
	{name: specs.ArchPPC, audit: 20, calls: &callsPPC, bigEndian: true, muxes: true},
	{name: specs.ArchPPC64, audit: 21 | audit64, calls: &callsPPC64, wide: true, bigEndian: true, muxes: true},
	{name: specs.ArchPPC64LE, audit: 21 | audit64 | auditLE, calls: &callsPPC64, wide: true, muxes: true},
	{name: specs.ArchS390, audit: 22, calls: &callsS390, bigEndian: true, muxes: true},
	{name: specs.ArchS390X, audit: 22 | audit64, calls: &callsS390X, wide: true, bigEndian: true, muxes: true},
	{name: specs.ArchPARISC, audit: 15, calls: &callsPARISC, bigEndian: true},
	{name: specs.ArchPARISC64, audit: 15 | audit64, calls: &callsPARISC64, wide: true, bigEndian: true},
	{name: specs.ArchRISCV64, audit: 243 | audit64 | auditLE, calls: &callsRISCV64, wide: true},
	{name: specs.ArchLOONGARCH64, audit: 258 | audit64 | auditLE, calls: &callsLOONGARCH64, wide: true},
	{name: specs.ArchM68K, audit: 4, calls: &callsM68K, bigEndian: true, muxes: true},
	{name: specs.ArchSH, audit: 42 | auditLE, calls: &callsSH, muxes: true},
	{name: specs.ArchSHEB, audit: 42, calls: &callsSH, bigEndian: true, muxes: true},
}

func archOf(name specs.Arch) *arch {
	for i := range arches {
		if arches[i].name == name {
			return &arches[i]
		}
	}
	return nil
}

// nativeArch is the architecture that this program was built for.
func nativeArch() (specs.Arch, error) {
	switch runtime.GOARCH {
	case "amd64":
		return specs.ArchX86_64, nil
	case "arm64":
		return specs.ArchAARCH64, nil
	}
	return "", errNoNative
}

// call returns the index of a system call in callNames, -1 for an unknown name.
func call(name string) int {
	low, high := 0, len(callNames)
	for low < high {
		middle := (low + high) / 2
		switch c := strings.Compare(name, callNames[middle]); {
		case c == 0:
			return middle
		case c < 0:
			high = middle
		default:
			low = middle + 1
		}
	}
	return -1
}

// slot returns the index of a call's rules, -1 when the architecture does not have the call.
// Slots are in the order of the numbers.
func (a *arch) slot(call int) int {
	n := int(a.calls[call])
	if n >= privateMark {
		return n - privateMark + privateSlot
	}
	return n
}

// number returns the number of the call in a slot.
func (a *arch) number(slot int) uint32 {
	if slot >= privateSlot {
		return uint32(slot - privateSlot + privateBase)
	}
	return a.base + uint32(slot)
}

// The slots of an architecture.
const (
	privateSlot = 600
	slots       = privateSlot + 8
)

// muxed is a call with a number in socketcall(2) or ipc(2).
type muxed struct {
	name   string
	number uint64
}

var socketcalls = [...]muxed{
	{"socket", 1}, {"bind", 2}, {"connect", 3}, {"listen", 4}, {"accept", 5}, {"getsockname", 6}, {"getpeername", 7},
	{"socketpair", 8}, {"send", 9}, {"recv", 10}, {"sendto", 11}, {"recvfrom", 12}, {"shutdown", 13}, {"setsockopt", 14},
	{"getsockopt", 15}, {"sendmsg", 16}, {"recvmsg", 17}, {"accept4", 18}, {"recvmmsg", 19}, {"sendmmsg", 20},
}

var ipcs = [...]muxed{
	{"semop", 1}, {"semget", 2}, {"semctl", 3}, {"semtimedop", 4}, {"msgsnd", 11}, {"msgrcv", 12}, {"msgget", 13},
	{"msgctl", 14}, {"shmat", 21}, {"shmdt", 22}, {"shmget", 23}, {"shmctl", 24},
}
