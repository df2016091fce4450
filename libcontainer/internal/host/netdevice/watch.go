package netdevice

import (
	"encoding/binary"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// watch records devices that leave the network namespace of a container.
//
// Attacker: a process with CAP_NET_ADMIN in a namespace that the container joins. It can remove a
// device and create one with the same index, name and address, so that no property of a device
// identifies it. Only the kernel reports that the device with this index has left, and no other
// process can forge that (netlink(7)).
type watch struct {
	fd int
	// left is how many devices with an index have left; lost reports whether messages are
	// missing.
	left map[int32]int
	lost bool
}

// openWatch starts listening in a network namespace.
func openWatch(namespace, own int) (*watch, error) {
	c, err := dialIn(namespace, own)
	if err != nil {
		return nil, err
	}
	w := &watch{fd: c.fd, left: make(map[int32]int)}
	if err = w.onlyLeaving(); err == nil {
		err = os.NewSyscallError("bind", unix.Bind(w.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}))
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// onlyLeaving filters out everything except that a device has left, so that changes of other
// devices cannot fill the buffer. Messages of the family AF_BRIDGE say that a device is no longer
// a port.
func (w *watch) onlyLeaving() error {
	// struct nlmsghdr has the type at offset 4; struct ifinfomsg, which follows it, begins with
	// the family. The type is in native byte order, which the filter reads as big-endian.
	var kind [2]byte
	binary.NativeEndian.PutUint16(kind[:], unix.RTM_DELLINK)
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 4},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(binary.BigEndian.Uint16(kind[:])), Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: unix.NLMSG_HDRLEN},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.AF_UNSPEC, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: ^uint32(0)},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptSockFprog(w.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}))
}

// departures returns how many devices with this index have left the namespace so far. It returns
// an error when that is unknown.
func (w *watch) departures(index int32) (int, error) {
	for !w.lost {
		data := make([]byte, 1<<16)
		n, _, err := unix.Recvfrom(w.fd, data, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return w.left[index], nil
		case err != nil:
			w.lost = true // ENOBUFS: the kernel had no room for a message
			continue
		}
		w.take(data[:n])
	}
	return 0, errors.New("too many devices have left the network namespace of the container: the kernel has dropped notifications")
}

// take counts the departures in a datagram.
func (w *watch) take(data []byte) {
	const need = unix.NLMSG_HDRLEN + unix.SizeofIfInfomsg
	if len(data) < need || binary.NativeEndian.Uint16(data[4:]) != unix.RTM_DELLINK {
		return
	}
	w.left[int32(binary.NativeEndian.Uint32(data[unix.NLMSG_HDRLEN+4:]))]++
}

func (w *watch) close() { unix.Close(w.fd) }
