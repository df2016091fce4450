package netdevice

import (
	"bytes"
	"encoding/binary"
	"errors"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAttributes(t *testing.T) {
	p := appendAttribute(nil, stringAttribute(unix.IFLA_IFNAME, "eth0"))
	p = appendAttribute(p, uint32Attribute(unix.IFLA_MASTER|1<<15, 7))
	if len(p) != 12+8 {
		t.Fatalf("%d bytes: %x", len(p), p)
	}
	list := parseAttributes(p)
	if len(list) != 2 || list[0].kind != unix.IFLA_IFNAME || cString(list[0].data) != "eth0" ||
		list[1].kind != unix.IFLA_MASTER || binary.NativeEndian.Uint32(list[1].data) != 7 {
		t.Errorf("%v", list)
	}
	for n := range len(p) { // truncated anywhere
		if got := parseAttributes(p[:n]); len(got) > 1 {
			t.Errorf("%d bytes: %v", n, got)
		}
	}
}

func TestLink(t *testing.T) {
	p := linkMessage(5, unix.IFF_UP, 0, stringAttribute(unix.IFLA_IFNAME, "eth0"), uint32Attribute(unix.IFLA_MASTER, 9))
	l, err := parseLink(p)
	if err != nil || l != (link{index: 5, name: "eth0", flags: unix.IFF_UP, master: 9}) || !l.up() {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := parseLink(p[:unix.SizeofIfInfomsg-1]); !errors.Is(err, errShort) {
		t.Error(err)
	}
}

// lasting returns a permanent address in the kernel's format.
func lasting(attributes ...attribute) []byte {
	p := make([]byte, unix.SizeofIfAddrmsg)
	p[0], p[1], p[2], p[3] = unix.AF_INET, 24, unix.IFA_F_PERMANENT|unix.IFA_F_SECONDARY, unix.RT_SCOPE_UNIVERSE
	binary.NativeEndian.PutUint32(p[4:], 5)
	for _, a := range attributes {
		p = appendAttribute(p, a)
	}
	return p
}

func TestAddress(t *testing.T) {
	local := attribute{unix.IFA_LOCAL, []byte{192, 0, 2, 1}}
	p := lasting(local, stringAttribute(unix.IFA_LABEL, "eth0:x"), attribute{unix.IFA_CACHEINFO, bytes.Repeat([]byte{255}, 16)},
		uint32Attribute(unix.IFA_RT_PRIORITY, 77), uint32Attribute(unix.IFA_TARGET_NETNSID, 3),
		uint32Attribute(unix.IFA_FLAGS, unix.IFA_F_PERMANENT|unix.IFA_F_SECONDARY|unix.IFA_F_NOPREFIXROUTE|unix.IFA_F_TENTATIVE))
	a, err := parseAddress(p)
	if err != nil || !a.lasting() || a.String() != "192.0.2.1/24" {
		t.Fatalf("%+v, %v", a, err)
	}
	again, err := parseAddress(a.message(8, "eth0", "net1"))
	if err != nil {
		t.Fatal(err)
	}
	if again.index != 8 || again.family != unix.AF_INET || again.prefix != 24 || again.flags != unix.IFA_F_NOPREFIXROUTE {
		t.Errorf("%+v", again)
	}
	got := make(map[uint16][]byte)
	for _, attr := range again.attributes {
		got[attr.kind] = attr.data
	}
	if len(got) != 4 || !bytes.Equal(got[unix.IFA_LOCAL], local.data) || cString(got[unix.IFA_LABEL]) != "net1:x" ||
		len(got[unix.IFA_CACHEINFO]) != 16 || binary.NativeEndian.Uint32(got[unix.IFA_RT_PRIORITY]) != 77 {
		t.Errorf("%v", got)
	}
}

func TestNotLasting(t *testing.T) {
	for name, change := range map[string]func([]byte){
		"temporary": func(p []byte) { p[2] = 0 },
		"link":      func(p []byte) { p[3] = unix.RT_SCOPE_LINK },
	} {
		p := lasting()
		change(p)
		if a, err := parseAddress(p); err != nil || a.lasting() {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

func TestRelabel(t *testing.T) {
	for _, c := range []struct {
		label, want string
		ok          bool
	}{
		{"eth0", "", false},
		{"eth0:1", "container-dev:1", true},
		{"eth0:123", "", false}, // too long
		{"other", "other", true},
		{"eth01", "eth01", true},
	} {
		if got, ok := relabel(c.label, "eth0", "container-dev"); ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %q, %t", c.label, got, ok)
		}
	}
}

func TestAcknowledged(t *testing.T) {
	code := func(e syscall.Errno) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(-int32(e))) }
	text := appendAttribute(append(code(unix.EINVAL), make([]byte, unix.NLMSG_HDRLEN)...), stringAttribute(unix.NLMSGERR_ATTR_MSG, "no such thing"))
	message := func(kind, flags uint16, data []byte) syscall.NetlinkMessage {
		return syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: kind, Flags: flags}, Data: data}
	}
	if err := acknowledged(message(unix.NLMSG_ERROR, 0, code(0))); err != nil {
		t.Error(err)
	}
	err := acknowledged(message(unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS, text))
	if !errors.Is(err, unix.EINVAL) || err.Error() != "invalid argument (no such thing)" {
		t.Error(err)
	}
	if err := acknowledged(message(unix.NLMSG_DONE, 0, code(unix.EBUSY))); !errors.Is(err, unix.EBUSY) {
		t.Error(err)
	}
	if err := acknowledged(message(unix.NLMSG_DONE, 0, nil)); !errors.Is(err, errShort) {
		t.Error(err)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(lasting(attribute{unix.IFA_LOCAL, []byte{192, 0, 2, 1}}, stringAttribute(unix.IFA_LABEL, "a")))
	f.Add(linkMessage(1, 2, 3, stringAttribute(unix.IFLA_IFNAME, "a")))
	f.Fuzz(func(t *testing.T, p []byte) {
		_, _ = parseLink(p)
		if a, err := parseAddress(p); err == nil {
			_ = a.String()
			if _, err := parseAddress(a.message(1, "a", "b")); err != nil {
				t.Error(err)
			}
		}
		_ = acknowledged(syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.NLMSG_ERROR, Flags: unix.NLM_F_ACK_TLVS}, Data: p})
	})
}
