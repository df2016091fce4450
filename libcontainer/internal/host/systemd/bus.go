package systemd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
)

// Names of systemd's D-Bus interface (org.freedesktop.systemd1(5)).
const (
	destination = "org.freedesktop.systemd1"
	managerPath = "/org/freedesktop/systemd1"
	manager     = "org.freedesktop.systemd1.Manager"
)

// ErrTimeout is wrapped by errors about a systemd that did not answer in time.
var ErrTimeout = errors.New("no answer from systemd")

// conn is a connection to systemd, or to a bus that systemd is on. It sends the greeting and the
// calls in one write, because each message wakes up PID 1, which all services of the host depend
// on.
type conn struct {
	fd        int
	deadline  time.Time
	interrupt *linux.Interrupt
	out       bytes.Buffer
	in        *bufio.Reader
	broker    bool
	welcomed  bool
	serial    uint32
}

// dial connects to the first address that can be reached. It sends nothing.
func dial(addresses []string, timeout time.Duration) (*conn, error) {
	var last error
	for _, address := range addresses {
		path, broker, err := parseAddress(address)
		if err == nil {
			var fd int
			// A full backlog makes connect wait, and a full buffer send.
			if fd, err = linux.Dial(path, unix.SOCK_STREAM, timeout); err == nil {
				c := &conn{fd: fd, deadline: time.Now().Add(timeout), broker: broker}
				c.in = bufio.NewReader(c)
				c.greet()
				return c, nil
			}
		}
		last = fmt.Errorf("%s: %w", address, err)
	}
	if last == nil {
		last = errors.New("no bus address is set (XDG_RUNTIME_DIR, DBUS_SESSION_BUS_ADDRESS)")
	}
	return nil, last
}

// parseAddress returns the path of the socket in an address (D-Bus specification, "Server
// Addresses"). The name of an abstract socket begins with "@". broker reports whether the socket
// belongs to a message bus; systemd's private socket does not.
func parseAddress(address string) (path string, broker bool, err error) {
	transport, options, ok := strings.Cut(address, ":")
	if !ok || transport != "unix" {
		return "", false, fmt.Errorf("want the address of a unix socket, like unix:path=/run/dbus/system_bus_socket")
	}
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		if value, err = unescape(value); err != nil {
			return "", false, err
		}
		switch key {
		case "path":
			return value, !strings.HasSuffix(value, privateSocket), nil
		case "abstract":
			return "@" + value, true, nil
		}
	}
	return "", false, errors.New("the address has neither path= nor abstract=")
}

func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		var c byte
		if i+2 >= len(s) {
			return "", fmt.Errorf("malformed escape in %q", s)
		}
		if _, err := fmt.Sscanf(s[i+1:i+3], "%02x", &c); err != nil {
			return "", fmt.Errorf("malformed escape in %q", s)
		}
		b.WriteByte(c)
		i += 2
	}
	return b.String(), nil
}

func (c *conn) close() { unix.Close(c.fd) }

// greet queues the greeting. Its identity is empty, so the other side takes the uid from the
// socket, which also works in a user namespace.
func (c *conn) greet() {
	c.out.WriteString("\x00AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")
	if !c.broker {
		return
	}
	// A bus requires Hello first, and delivers only the signals that match a rule.
	const bus = "org.freedesktop.DBus"
	c.queue(bus, "/org/freedesktop/DBus", bus, "Hello")
	c.queue(bus, "/org/freedesktop/DBus", bus, "AddMatch",
		"type='signal',sender='"+destination+"',interface='"+manager+"',member='JobRemoved'")
}

// call queues a call of the manager and returns its serial number.
func (c *conn) call(method string, body ...any) uint32 {
	return c.queue(destination, managerPath, manager, method, body...)
}

func (c *conn) queue(to string, path objectPath, iface, member string, body ...any) uint32 {
	c.serial++
	m := message{kind: methodCall, serial: c.serial, destination: to, path: path, iface: iface, member: member, body: body}
	c.out.Write(m.encode())
	return c.serial
}

// flush sends what is queued.
func (c *conn) flush() error {
	err := linux.Send(c.fd, c.out.Bytes())
	if errors.Is(err, unix.EAGAIN) {
		return ErrTimeout
	}
	if err == nil {
		c.out.Reset()
	}
	return err
}

// Read makes a conn an io.Reader that knows its deadline.
func (c *conn) Read(p []byte) (int, error) {
	for {
		// The deadline holds even when the bus keeps sending.
		if time.Until(c.deadline) <= 0 {
			return 0, ErrTimeout
		}
		n, err := c.interrupt.PollUntil([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}, c.deadline)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, ErrTimeout
		}
		n, err = unix.Read(c.fd, p)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// welcomeOnce reads the other side's part of the greeting.
func (c *conn) welcomeOnce() error {
	for !c.welcomed {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return closed(err)
		}
		line = strings.TrimRight(line, "\r\n")
		switch word, _, _ := strings.Cut(line, " "); word {
		case "DATA":
		case "OK":
			c.welcomed = true
		default:
			return fmt.Errorf("the connection was refused: %q", line)
		}
	}
	return nil
}

// receive reads the next message.
func (c *conn) receive() (*message, error) {
	m, err := readMessage(c.in)
	return m, closed(err)
}

func closed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the connection was closed")
	}
	return err
}

// answers reports whether a message is the answer to a call.
func (m *message) answers(serial uint32) bool {
	return (m.kind == methodReply || m.kind == methodError) && m.replySerial == serial
}

// callError is the error reply to a call.
type callError struct{ name, text string }

func (e *callError) Error() string {
	if e.text == "" {
		return e.name
	}
	return e.text
}

func errorOf(m *message) error {
	if m.kind != methodError {
		return nil
	}
	e := &callError{name: m.errorName}
	if len(m.body) > 0 {
		e.text, _ = m.body[0].(string)
	}
	return e
}

func isCallError(err error, name string) bool {
	var e *callError
	return errors.As(err, &e) && e.name == name
}
