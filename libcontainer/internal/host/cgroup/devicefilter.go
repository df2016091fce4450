package cgroup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The BPF instructions of filters (linux/bpf.h, RFC 9669).
const (
	bpfLoadWord   = 0x61 // dst = *(u32 *)(src + off)
	bpfMove       = 0xb4 // dst = imm, 32 bits
	bpfMoveReg    = 0xbc // dst = src, 32 bits
	bpfAnd        = 0x54 // dst &= imm, 32 bits
	bpfShiftRight = 0x74 // dst >>= imm, 32 bits
	bpfJumpEqual  = 0x16 // skip off instructions if dst == imm, 32 bits
	bpfJumpOther  = 0x56 // skip off instructions if dst != imm, 32 bits
	bpfExit       = 0x95 // return r0
)

// The registers of a filter. At the start r1 points to struct bpf_cgroup_dev_ctx:
// access << 16 | type, major, minor.
const (
	regResult = iota
	regContext
	regType
	regAccess // the requested access that is not decided yet
	regMajor
	regMinor
)

// regScratch reuses the register of the context after it has been read.
const regScratch = regContext

type bpfInstruction struct {
	op       uint8
	dst, src uint8
	off      int16
	imm      int32
}

// deviceFilter returns the BPF program for the rules. From the last rule to the first, each rule
// decides about the access that it names. Every list of rules can be expressed.
func deviceFilter(rules []deviceRule) []bpfInstruction {
	program := []bpfInstruction{
		{op: bpfLoadWord, dst: regType, src: regContext, off: 0},
		{op: bpfMoveReg, dst: regAccess, src: regType},
		{op: bpfAnd, dst: regType, imm: 0xffff},
		{op: bpfShiftRight, dst: regAccess, imm: 16},
		{op: bpfLoadWord, dst: regMajor, src: regContext, off: 4},
		{op: bpfLoadWord, dst: regMinor, src: regContext, off: 8},
	}
	for i := len(rules) - 1; i >= 0; i-- {
		r := rules[i]
		if r.access == 0 {
			continue
		}
		program = append(program, filterRule(r)...)
		if r.access == allAccess && r.devices == (devices{anyType, anyNumber, anyNumber}) {
			break // all access is decided
		}
	}
	return append(program, answer(false)...)
}

func answer(allow bool) []bpfInstruction {
	a := bpfInstruction{op: bpfMove, dst: regResult}
	if allow {
		a.imm = 1
	}
	return []bpfInstruction{a, {op: bpfExit}}
}

func filterRule(r deviceRule) []bpfInstruction {
	var body []bpfInstruction
	if r.allow {
		body = append(body,
			bpfInstruction{op: bpfAnd, dst: regAccess, imm: int32(allAccess &^ r.access)},
			bpfInstruction{op: bpfJumpOther, dst: regAccess, imm: 0, off: 2})
		body = append(body, answer(true)...)
	} else {
		body = append(body,
			bpfInstruction{op: bpfMoveReg, dst: regScratch, src: regAccess},
			bpfInstruction{op: bpfAnd, dst: regScratch, imm: int32(r.access)},
			bpfInstruction{op: bpfJumpEqual, dst: regScratch, imm: 0, off: 2})
		body = append(body, answer(false)...)
	}
	var conditions []bpfInstruction
	unless := func(register uint8, value int32) {
		conditions = append(conditions, bpfInstruction{op: bpfJumpOther, dst: register, imm: value})
	}
	switch r.typ {
	case 'b':
		unless(regType, unix.BPF_DEVCG_DEV_BLOCK)
	case 'c':
		unless(regType, unix.BPF_DEVCG_DEV_CHAR)
	}
	if r.major != anyNumber {
		unless(regMajor, int32(uint32(r.major)))
	}
	if r.minor != anyNumber {
		unless(regMinor, int32(uint32(r.minor)))
	}
	for i := range conditions {
		conditions[i].off = int16(len(conditions) - i - 1 + len(body))
	}
	return append(conditions, body...)
}

func encodeFilter(program []bpfInstruction) []byte {
	out := make([]byte, 0, 8*len(program))
	for _, i := range program {
		out = append(out, i.op, i.dst|i.src<<4)
		out = binary.NativeEndian.AppendUint16(out, uint16(i.off))
		out = binary.NativeEndian.AppendUint32(out, uint32(i.imm))
	}
	return out
}

// loadFilter loads a filter into the kernel, and returns a descriptor of it.
func loadFilter(program []bpfInstruction) (int, error) {
	code, license := encodeFilter(program), []byte("Apache-2.0\x00")
	attr := struct {
		progType, count    uint32
		code, license      uint64
		logLevel, logSize  uint32
		logBuf             uint64
		kernelVersion, pad uint32
	}{
		progType: unix.BPF_PROG_TYPE_CGROUP_DEVICE, count: uint32(len(program)),
		code: uint64(uintptr(unsafe.Pointer(&code[0]))), license: uint64(uintptr(unsafe.Pointer(&license[0]))),
	}
	fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(code)
	runtime.KeepAlive(license)
	return fd, err
}

// bpf is bpf(2). The verifier fails with EAGAIN when a signal arrives.
func bpf(command uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	for tries := 0; ; tries++ {
		n, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(attr), size)
		switch {
		case errno == 0:
			return int(n), nil
		case (errno == unix.EAGAIN || errno == unix.EINTR) && tries < 100:
			continue
		}
		return -1, os.NewSyscallError("bpf", errno)
	}
}

// setDeviceFilter applies device rules to a cgroup of v2. Unless the cgroup is fresh, the filter
// replaces its filters.
func setDeviceFilter(dir string, rules []deviceRule, fresh bool) error {
	group, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(group)
	var old []int
	if !fresh {
		if old, err = attachedFilters(group); err != nil {
			return err
		}
	}
	defer func() { closeAll(old) }()
	filter, err := loadFilter(deviceFilter(rules))
	if err != nil {
		return fmt.Errorf("filter of devices: %w", err)
	}
	defer unix.Close(filter)
	attr := attachment{target: uint32(group), filter: uint32(filter), kind: unix.BPF_CGROUP_DEVICE, flags: unix.BPF_F_ALLOW_MULTI}
	if len(old) == 1 {
		attr.flags |= unix.BPF_F_REPLACE
		attr.replaced = uint32(old[0])
	}
	if _, err := bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return fmt.Errorf("attach the filter of devices: %w", err)
	}
	if len(old) == 1 {
		return nil
	}
	// An access needs the permission of all filters of a cgroup, so nothing was allowed in
	// between.
	return detach(group, old)
}

// hasFilters reports whether a cgroup of v2 has device filters.
func hasFilters(dir string) (bool, error) {
	group, filters, err := openFilters(dir)
	if err != nil {
		return false, err
	}
	closeAll(append(filters, group))
	return len(filters) > 0, nil
}

// detachFilters detaches the device filters of a cgroup of v2.
func detachFilters(dir string) error {
	group, filters, err := openFilters(dir)
	if err != nil {
		return err
	}
	defer closeAll(append(filters, group))
	return detach(group, filters)
}

// openFilters opens a cgroup of v2 and its device filters.
func openFilters(dir string) (group int, filters []int, err error) {
	group, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	if filters, err = attachedFilters(group); err != nil {
		unix.Close(group)
		return -1, nil, err
	}
	return group, filters, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

func detach(group int, filters []int) error {
	for _, fd := range filters {
		attr := attachment{target: uint32(group), filter: uint32(fd), kind: unix.BPF_CGROUP_DEVICE}
		if _, err := bpf(unix.BPF_PROG_DETACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("detach an old filter of devices: %w", err)
		}
	}
	return nil
}

// attachment is the part of union bpf_attr for programs of cgroups.
type attachment struct {
	target, filter, kind, flags, replaced uint32
}

// attachedFilters returns descriptors of the device filters of a cgroup. It leaves out those that
// this process may not open; a filter can only restrict.
func attachedFilters(group int) ([]int, error) {
	const most = 64 // the maximum of the kernel
	ids := make([]uint32, most)
	// The whole structure: kernels from 6.17 to 7.1 write to its end, whatever size is passed.
	query := struct {
		target, kind, queryFlags, attachFlags uint32
		ids                                   uint64
		count, pad                            uint32
		programFlags, linkIDs, linkFlags      uint64
		revision                              uint64
	}{target: uint32(group), kind: unix.BPF_CGROUP_DEVICE, count: most}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	pinner.Pin(&ids[0])
	query.ids = uint64(uintptr(unsafe.Pointer(&ids[0])))
	if _, err := bpf(unix.BPF_PROG_QUERY, unsafe.Pointer(&query), unsafe.Sizeof(query)); err != nil {
		return nil, fmt.Errorf("device filters of the cgroup: %w", err)
	}
	var fds []int
	for _, id := range ids[:min(query.count, most)] {
		attr := struct{ id, next, flags uint32 }{id: id}
		fd, err := bpf(unix.BPF_PROG_GET_FD_BY_ID, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
		switch {
		case err == nil:
			fds = append(fds, fd)
		case errors.Is(err, os.ErrPermission), errors.Is(err, os.ErrNotExist):
		default:
			closeAll(fds)
			return nil, fmt.Errorf("device filters of the cgroup: %w", err)
		}
	}
	return fds, nil
}
