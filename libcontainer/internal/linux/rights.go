package linux

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ErrRights is the error of [ReceiveFD] for a message with more than one descriptor, or with
// descriptors that the kernel could not deliver.
var ErrRights = errors.New("the message has other descriptors than expected")

// ReceiveFD receives a message and the descriptor that came with it, which is close-on-exec. n is
// 0 at the end of the stream.
func ReceiveFD(socket int, buf []byte, flags int) (n int, fd FD, err error) {
	oob := make([]byte, unix.CmsgSpace(4))
	var oobn, got int
	for {
		n, oobn, got, _, err = unix.Recvmsg(socket, buf, oob, unix.MSG_CMSG_CLOEXEC|flags)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return 0, FD{}, os.NewSyscallError("recvmsg", err)
	}
	fds, err := rights(oob[:oobn])
	if err != nil || len(fds) > 1 || got&unix.MSG_CTRUNC != 0 {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return 0, FD{}, ErrRights
	}
	if len(fds) == 0 {
		return n, FD{}, nil
	}
	return n, NewFD(fds[0]), nil
}

// rights returns the descriptors that came with a message, also when it returns an error.
func rights(oob []byte) (fds []int, err error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for i := range messages {
		some, parseErr := unix.ParseUnixRights(&messages[i])
		if parseErr != nil {
			err = parseErr
		}
		fds = append(fds, some...)
	}
	return fds, err
}

// SendFD sends all of data with a descriptor. It does not raise SIGPIPE: the error is EPIPE when
// the other end is closed.
func SendFD(socket int, data []byte, fd int) error {
	return sendAll("sendmsg", socket, data, unix.UnixRights(fd))
}

// Send is [SendFD] without a descriptor.
func Send(socket int, data []byte) error { return sendAll("send", socket, data, nil) }

// sendAll sends until a stream socket has taken everything; other sockets take a message as a
// whole. The descriptors are sent with the first byte.
func sendAll(name string, socket int, data, rights []byte) error {
	for {
		n, err := unix.SendmsgN(socket, data, rights, nil, unix.MSG_NOSIGNAL)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return os.NewSyscallError(name, err)
		case n >= len(data):
			return nil
		}
		data, rights = data[n:], nil
	}
}
