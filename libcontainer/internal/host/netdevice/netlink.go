package netdevice

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// conn is a netlink socket for the devices of one network namespace (rtnetlink(7)).
type conn struct {
	fd  int
	seq uint32
}

// dial opens a socket in the network namespace of this thread.
func dial() (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", os.NewSyscallError("socket", err))
	}
	// Ask for error texts (EXT_ACK), and not to echo the request (CAP_ACK).
	for _, option := range []int{unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK} {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, option, 1); err != nil {
			unix.Close(fd)
			return nil, fmt.Errorf("netlink: %w", os.NewSyscallError("setsockopt", err))
		}
	}
	return &conn{fd: fd}, nil
}

// dialIn opens a socket in another network namespace. Only this thread enters the namespace, and
// returns.
//
// This process has to create the socket: the permissions of a socket are those of its creator,
// and a process of the container may have none in the host's namespace.
func dialIn(namespace, own int) (*conn, error) {
	runtime.LockOSThread()
	if err := unix.Setns(namespace, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("enter the network namespace: %w", os.NewSyscallError("setns", err))
	}
	c, err := dial()
	if back := unix.Setns(own, unix.CLONE_NEWNET); back != nil {
		// The thread stays locked, so it ends with the goroutine.
		if err == nil {
			c.close()
		}
		return nil, fmt.Errorf("leave the network namespace: %w", os.NewSyscallError("setns", back))
	}
	runtime.UnlockOSThread()
	return c, err
}

// makeNamespace makes a network namespace, which ends with the descriptor and whatever lies
// in it. Only this thread goes there, and comes back.
func makeNamespace(own int) (int, error) {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return -1, fmt.Errorf("make a network namespace: %w", os.NewSyscallError("unshare", err))
	}
	fd, err := openNamespace("/proc/thread-self/ns/net")
	if back := unix.Setns(own, unix.CLONE_NEWNET); back != nil {
		// The thread stays locked, so it ends with the goroutine.
		if err == nil {
			unix.Close(fd)
		}
		return -1, fmt.Errorf("leave the network namespace: %w", os.NewSyscallError("setns", back))
	}
	runtime.UnlockOSThread()
	return fd, err
}

func (c *conn) close() { unix.Close(c.fd) }

// kernelError is an error with the kernel's message.
type kernelError struct {
	errno syscall.Errno
	text  string
}

func (e *kernelError) Error() string {
	if e.text == "" {
		return e.errno.Error()
	}
	return e.errno.Error() + " (" + e.text + ")"
}

func (e *kernelError) Unwrap() error { return e.errno }

// errShort means that an answer is malformed.
var errShort = errors.New("netlink: malformed answer")

// ask sends a request and returns the bodies of the answers.
func (c *conn) ask(kind uint16, flags int, body []byte) ([][]byte, error) {
	c.seq++
	request := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(body))
	binary.NativeEndian.PutUint32(request, uint32(unix.NLMSG_HDRLEN+len(body)))
	binary.NativeEndian.PutUint16(request[4:], kind)
	binary.NativeEndian.PutUint16(request[6:], uint16(unix.NLM_F_REQUEST|unix.NLM_F_ACK|flags))
	binary.NativeEndian.PutUint32(request[8:], c.seq)
	request = append(request, body...)
	if err := unix.Sendto(c.fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("sendto", err)
	}
	var answers [][]byte
	for {
		messages, err := c.receive()
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			if m.Header.Seq != c.seq {
				continue // a late answer to an earlier request
			}
			switch m.Header.Type {
			case unix.NLMSG_ERROR, unix.NLMSG_DONE:
				return answers, acknowledged(m)
			default:
				answers = append(answers, m.Data)
			}
		}
	}
}

// receive reads one datagram of any size.
func (c *conn) receive() ([]syscall.NetlinkMessage, error) {
	for {
		size, _, err := unix.Recvfrom(c.fd, nil, unix.MSG_PEEK|unix.MSG_TRUNC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("recvfrom", err)
		}
		data := make([]byte, size)
		n, from, err := unix.Recvfrom(c.fd, data, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("recvfrom", err)
		}
		if a, ok := from.(*unix.SockaddrNetlink); !ok || a.Pid != 0 {
			continue // not from the kernel
		}
		return syscall.ParseNetlinkMessage(data[:n])
	}
}

// acknowledged returns the error in the last message of an answer.
func acknowledged(m syscall.NetlinkMessage) error {
	if len(m.Data) < 4 {
		return errShort
	}
	code := int32(binary.NativeEndian.Uint32(m.Data))
	if code >= 0 {
		return nil
	}
	e := &kernelError{errno: syscall.Errno(-code)}
	rest := m.Data[4:]
	if m.Header.Type == unix.NLMSG_ERROR {
		rest = rest[min(len(rest), unix.NLMSG_HDRLEN):] // the header of the request
	}
	if m.Header.Flags&unix.NLM_F_ACK_TLVS != 0 {
		for _, a := range parseAttributes(rest) {
			if a.kind == unix.NLMSGERR_ATTR_MSG {
				e.text = cString(a.data)
			}
		}
	}
	return e
}

// attribute is an attribute in a message.
type attribute struct {
	kind uint16
	data []byte
}

const (
	attributeHeader = 4
	kindMask        = 1<<14 - 1 // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
)

func align(n int) int { return (n + 3) &^ 3 }

// parseAttributes parses attributes up to the first malformed one.
func parseAttributes(p []byte) []attribute {
	var list []attribute
	for len(p) >= attributeHeader {
		n := int(binary.NativeEndian.Uint16(p))
		if n < attributeHeader || n > len(p) {
			break
		}
		list = append(list, attribute{binary.NativeEndian.Uint16(p[2:]) & kindMask, p[attributeHeader:n]})
		p = p[min(align(n), len(p)):]
	}
	return list
}

// appendAttribute appends an attribute with padding.
func appendAttribute(p []byte, a attribute) []byte {
	p = binary.NativeEndian.AppendUint16(p, uint16(attributeHeader+len(a.data)))
	p = binary.NativeEndian.AppendUint16(p, a.kind)
	p = append(p, a.data...)
	for len(p)%4 != 0 {
		p = append(p, 0)
	}
	return p
}

func uint32Attribute(kind uint16, v uint32) attribute {
	return attribute{kind, binary.NativeEndian.AppendUint32(nil, v)}
}

func stringAttribute(kind uint16, s string) attribute {
	return attribute{kind, append([]byte(s), 0)}
}

func cString(p []byte) string {
	for i, b := range p {
		if b == 0 {
			return string(p[:i])
		}
	}
	return string(p)
}
