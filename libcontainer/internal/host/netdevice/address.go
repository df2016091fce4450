package netdevice

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// address is an IP address of a device, as reported by the kernel.
type address struct {
	family, prefix, scope uint8
	flags                 uint32 // IFA_F_*
	index                 int32
	attributes            []attribute
}

// settable are the flags that can be set for a new address; the others are its state.
const settable = unix.IFA_F_NODAD | unix.IFA_F_OPTIMISTIC | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR |
	unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN

func parseAddress(p []byte) (address, error) {
	if len(p) < unix.SizeofIfAddrmsg {
		return address{}, errShort
	}
	a := address{family: p[0], prefix: p[1], flags: uint32(p[2]), scope: p[3], index: int32(binary.NativeEndian.Uint32(p[4:]))}
	for _, attr := range parseAttributes(p[unix.SizeofIfAddrmsg:]) {
		switch attr.kind {
		case unix.IFA_FLAGS:
			if len(attr.data) < 4 {
				return address{}, errShort
			}
			a.flags = binary.NativeEndian.Uint32(attr.data)
		default:
			a.attributes = append(a.attributes, attr)
		}
	}
	return a, nil
}

// lasting reports whether an address has to be preserved: "all permanent IP addresses
// (IFA_F_PERMANENT flag) of any family with global scope" (config-linux.md#network-devices).
func (a *address) lasting() bool {
	return a.flags&unix.IFA_F_PERMANENT != 0 && a.scope == unix.RT_SCOPE_UNIVERSE
}

// message returns the request that adds the address to a device, which was called oldName and is
// now called newName.
func (a *address) message(index int32, oldName, newName string) []byte {
	p := make([]byte, unix.SizeofIfAddrmsg)
	flags := a.flags & settable
	p[0], p[1], p[2], p[3] = a.family, a.prefix, uint8(flags), a.scope
	binary.NativeEndian.PutUint32(p[4:], uint32(index))
	p = appendAttribute(p, uint32Attribute(unix.IFA_FLAGS, flags))
	for _, attr := range a.attributes {
		switch attr.kind {
		case unix.IFA_LABEL:
			label, ok := relabel(cString(attr.data), oldName, newName)
			if ok {
				p = appendAttribute(p, stringAttribute(unix.IFA_LABEL, label))
			}
		case unix.IFA_TARGET_NETNSID:
		default:
			p = appendAttribute(p, attr)
		}
	}
	return p
}

// relabel replaces the name in a label of the form NAME or NAME:SUFFIX. ok is false when the
// label is to be left out, because the kernel would use the same one or it would be too long.
func relabel(label, oldName, newName string) (string, bool) {
	if label == oldName {
		return "", false
	}
	if suffix, ok := strings.CutPrefix(label, oldName+":"); ok {
		label = newName + ":" + suffix
	}
	return label, len(label) < unix.IFNAMSIZ
}

// String returns the address with its prefix, for errors.
func (a *address) String() string {
	for _, kind := range []uint16{unix.IFA_LOCAL, unix.IFA_ADDRESS} {
		for _, attr := range a.attributes {
			if ip, ok := netip.AddrFromSlice(attr.data); ok && attr.kind == kind {
				return netip.PrefixFrom(ip, int(a.prefix)).String()
			}
		}
	}
	return "?"
}

// addresses returns the addresses of a device that have to be preserved, in order.
func (c *conn) addresses(index int32) ([]address, error) {
	answers, err := c.ask(unix.RTM_GETADDR, unix.NLM_F_DUMP, make([]byte, unix.SizeofIfAddrmsg))
	if err != nil {
		return nil, err
	}
	var list []address
	for _, p := range answers {
		a, err := parseAddress(p)
		if err != nil {
			return nil, err
		}
		if a.index == index && a.lasting() {
			list = append(list, a)
		}
	}
	return list, nil
}

// addAddress adds an address to a device.
func (c *conn) addAddress(message []byte) error {
	_, err := c.ask(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, message)
	return err
}
