package netdevice

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// link is a network device.
type link struct {
	index int32
	name  string
	flags uint32 // IFF_*
	// master is the index of the bridge or similar device that it is a port of, 0 for none.
	master uint32
}

func (l link) up() bool { return l.flags&unix.IFF_UP != 0 }

// linkMessage returns a request about a device: struct ifinfomsg and attributes.
func linkMessage(index int32, flags, change uint32, attributes ...attribute) []byte {
	p := make([]byte, unix.SizeofIfInfomsg)
	p[0] = unix.AF_UNSPEC
	binary.NativeEndian.PutUint32(p[4:], uint32(index))
	binary.NativeEndian.PutUint32(p[8:], flags)
	binary.NativeEndian.PutUint32(p[12:], change)
	for _, a := range attributes {
		p = appendAttribute(p, a)
	}
	return p
}

func parseLink(p []byte) (link, error) {
	if len(p) < unix.SizeofIfInfomsg {
		return link{}, errShort
	}
	l := link{index: int32(binary.NativeEndian.Uint32(p[4:])), flags: binary.NativeEndian.Uint32(p[8:])}
	for _, a := range parseAttributes(p[unix.SizeofIfInfomsg:]) {
		switch {
		case a.kind == unix.IFLA_IFNAME:
			l.name = cString(a.data)
		case a.kind == unix.IFLA_MASTER && len(a.data) >= 4:
			l.master = binary.NativeEndian.Uint32(a.data)
		}
	}
	return l, nil
}

// byName finds a device by its name or an alternative name.
func (c *conn) byName(name string) (link, error) {
	kind := uint16(unix.IFLA_IFNAME)
	return c.link(linkMessage(0, 0, 0, stringAttribute(kind, name)))
}

// byIndex finds a device by its index.
func (c *conn) byIndex(index int32) (link, error) { return c.link(linkMessage(index, 0, 0)) }

func (c *conn) link(request []byte) (link, error) {
	answers, err := c.ask(unix.RTM_GETLINK, 0, request)
	if err != nil {
		return link{}, err
	}
	if len(answers) != 1 {
		return link{}, errShort
	}
	return parseLink(answers[0])
}

// freeIndex returns an index that no device has, the wanted one if possible.
func (c *conn) freeIndex(wanted int32) (int32, error) {
	answers, err := c.ask(unix.RTM_GETLINK, unix.NLM_F_DUMP, linkMessage(0, 0, 0))
	if err != nil {
		return 0, err
	}
	highest, taken := int32(0), false
	for _, a := range answers {
		l, err := parseLink(a)
		if err != nil {
			return 0, err
		}
		highest = max(highest, l.index)
		taken = taken || l.index == wanted
	}
	if taken {
		return highest + 1, nil
	}
	return wanted, nil
}

// send moves a device to another network namespace, where it gets a new index and name. Even if
// the kernel reports an error, it may be there under its old name.
func (c *conn) send(index int32, namespace int, newIndex int32, name string) error {
	_, err := c.ask(unix.RTM_SETLINK, 0, linkMessage(index, 0, 0,
		uint32Attribute(unix.IFLA_NET_NS_FD, uint32(namespace)),
		uint32Attribute(unix.IFLA_NEW_IFINDEX, uint32(newIndex)),
		stringAttribute(unix.IFLA_IFNAME, name)))
	return err
}

// setMaster makes a device a port of another one.
func (c *conn) setMaster(index int32, master uint32) error {
	_, err := c.ask(unix.RTM_SETLINK, 0, linkMessage(index, 0, 0, uint32Attribute(unix.IFLA_MASTER, master)))
	return err
}

// setUp brings a device up.
func (c *conn) setUp(index int32) error {
	_, err := c.ask(unix.RTM_SETLINK, 0, linkMessage(index, unix.IFF_UP, unix.IFF_UP))
	return err
}
