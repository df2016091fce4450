package launch

import (
	"cmp"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/failpoint"
	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/linux"
)

// Conversation is the runtime's end of the connection to an init ([protocol]). Waiting also ends
// when the process ends, on an interrupt, and when Patience is used up.
type Conversation struct {
	// Socket is the runtime's end of the socket.
	Socket linux.FD
	// Pidfd is a descriptor of the process.
	Pidfd linux.FD
	// Interrupt ends waiting.
	Interrupt *linux.Interrupt
	// Patience is how long the conversation may wait for the init, in all: the time in which
	// the runtime itself is at work does not count. 0 is [DefaultPatience].
	Patience time.Duration
	// Extend is called when the patience is over, and reports whether there is a reason to
	// have it once more. It may be nil.
	Extend func() bool
	// Explain puts the report of a failed op into words.
	Explain func(protocol.Message) error
	// Trace is called for each received message. It may be nil.
	Trace func(protocol.Message)

	waited time.Duration
}

// Errors of [Conversation.Receive].
var (
	// ErrEnded: the init has ended, or has closed its end of the connection.
	ErrEnded = fault.New(fault.InitDied, "the init process has ended")
	// ErrSilent: Patience is used up.
	ErrSilent = fault.New(fault.InitSilent, "the process does not answer")

	errMalformed = errors.New("the init process sent a malformed message")
)

// Event is a message with its descriptor.
type Event struct {
	protocol.Message
	// FD is the descriptor of the message. The receiver has to close it.
	FD linux.FD
}

// Receive waits for the next message. For the report of a failed op it returns the error from
// Explain. Other errors are those above, and that of the interrupt.
func (c *Conversation) Receive() (Event, error) {
	fds := []unix.PollFd{
		{Fd: int32(c.Socket.Int()), Events: unix.POLLIN},
		{Fd: int32(c.Pidfd.Int()), Events: unix.POLLIN},
	}
	n, err := c.poll(fds)
	switch {
	case err != nil:
		return Event{}, err
	case n == 0:
		return Event{}, ErrSilent
	// The socket comes first, because the process may have sent a message before it died.
	case fds[0].Revents != 0:
		return c.read()
	}
	return Event{}, ErrEnded
}

// DefaultPatience is how long a program may take that nothing should hold up. Processes of a
// container may stop one that is in their pid namespace.
const DefaultPatience = 30 * time.Second

// poll waits as long as there is patience.
func (c *Conversation) poll(fds []unix.PollFd) (n int, err error) {
	for {
		begin := time.Now()
		n, err = c.Interrupt.PollUntil(fds, begin.Add(max(failpoint.Patience(cmp.Or(c.Patience, DefaultPatience))-c.waited, 0)))
		c.waited += time.Since(begin)
		if err != nil || n > 0 || c.Extend == nil || !c.Extend() {
			return n, err
		}
		c.waited = 0
	}
}

// read reads an available message.
func (c *Conversation) read() (Event, error) {
	buf := make([]byte, protocol.MessageSize+1)
	n, fd, err := linux.ReceiveFD(c.Socket.Int(), buf, 0)
	switch {
	case errors.Is(err, unix.ECONNRESET), err == nil && n == 0 && !fd.Exists():
		return Event{}, ErrEnded
	case errors.Is(err, linux.ErrRights):
		return Event{}, errMalformed
	case err != nil:
		return Event{}, err
	}
	m, ok := protocol.Decode(buf[:n])
	if !ok {
		fd.Close()
		return Event{}, errMalformed
	}
	if c.Trace != nil {
		c.Trace(m)
	}
	if m.Kind == protocol.KindFailure {
		fd.Close()
		return Event{}, c.Explain(m)
	}
	return Event{m, fd}, nil
}

// Failed returns the error of [Conversation.Receive] if the process has failed or ended,
// otherwise nil. It does not wait. Other messages are lost, so the conversation cannot be
// continued.
func (c *Conversation) Failed() error {
	for {
		fds := []unix.PollFd{{Fd: int32(c.Socket.Int()), Events: unix.POLLIN}}
		if n, err := linux.Poll(fds, 0); err != nil || n == 0 {
			return err
		}
		e, err := c.read()
		if err != nil {
			return err
		}
		e.FD.Close()
	}
}

// Answer answers the init, with data if the point asks for it.
func (c *Conversation) Answer(data []byte) error { return c.answered(linux.Send(c.Socket.Int(), data)) }

// Acknowledge answers the init without data.
func (c *Conversation) Acknowledge() error { return c.Answer(protocol.Acknowledgement[:]) }

// AnswerWith answers the init with a descriptor.
func (c *Conversation) AnswerWith(fd int) error {
	return c.answered(linux.SendFD(c.Socket.Int(), protocol.Acknowledgement[:], fd))
}

// Order gives the init an order with a descriptor.
func (c *Conversation) Order(order []byte, fd int) error {
	return c.answered(linux.SendFD(c.Socket.Int(), order, fd))
}

// answered turns the error of sending an answer into that of the conversation.
func (c *Conversation) answered(err error) error {
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return ErrEnded
	}
	return err
}

// Close closes the connection.
func (c *Conversation) Close() { c.Socket.Close() }
