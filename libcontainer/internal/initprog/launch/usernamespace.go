package launch

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
)

// UserNamespace creates a user namespace without processes and returns a descriptor of it. The
// mappings have the format of uid_map and gid_map in /proc.
//
// A process is needed to create the namespace and to open it. The process is a program that waits
// for its end; it has ended when the function returns, whatever happens.
func UserNamespace(uids, gids string) (int, error) {
	holder, err := hold(unix.CLONE_NEWUSER, -1, true)
	if err != nil {
		return -1, err
	}
	defer holder.Close()
	defer holder.Kill()
	proc := "/proc/" + strconv.Itoa(holder.Pid) + "/"
	for _, m := range []struct{ file, text string }{{"uid_map", uids}, {"gid_map", gids}} {
		if err := writeMap(proc+m.file, m.text); err != nil {
			return -1, err
		}
	}
	//allow:path the host's /proc
	fd, err := unix.Open(proc+"ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: proc + "ns/user", Err: err}
	}
	return fd, nil
}

// InUserNamespace calls f with the pid of a process in a user namespace, given by a descriptor:
// some properties of a namespace can only be read in /proc of a process in it. The process has
// ended when the function returns.
func InUserNamespace(fd int, f func(pid int) error) error {
	holder, err := hold(0, fd, true)
	if err != nil {
		return err
	}
	defer holder.Close()
	defer holder.Kill()
	if _, err := holder.Receive(); err != nil {
		return err
	}
	return f(holder.Pid)
}

// HoldUserNamespace creates a user namespace and calls use with the pid of a process in it, a
// child of this process. Users of the namespace cannot inspect an opaque process; without
// privileges, this process cannot write its mappings.
func HoldUserNamespace(opaque bool, use func(pid int) error) error {
	holder, err := hold(unix.CLONE_NEWUSER, -1, opaque)
	if err != nil {
		return err
	}
	defer holder.Close()
	defer holder.Kill()
	return use(holder.Pid)
}

// hold starts a process in new namespaces, or in the user namespace with the descriptor join; in
// this case the process reports when it is there. It then waits for its end.
func hold(namespaces uintptr, join int, opaque bool) (*Init, error) {
	const socket, image, namespace = 3, 4, 5
	files := []int{-1, -1, -1, -1, -1}
	b := program.NewBuilder(socket)
	if join >= 0 {
		files = append(files, join)
		b.Describe(program.Note{What: "join the user namespace"})
		b.Setns(program.FD(namespace), unix.CLONE_NEWUSER)
		b.Send(program.FD(socket), protocol.Done(protocol.StageCreated))
	}
	b.Describe(program.Note{What: "hold the user namespace"})
	// The process ends with the connection, even if this process dies.
	b.Recv(program.FD(socket), b.Buffer("end", protocol.MessageSize), protocol.MessageSize)
	p, err := b.Finish()
	if err != nil {
		return nil, err
	}
	return Start(Command{
		Program: p, CloneFlags: namespaces, Files: files,
		Socket: socket, Image: image, Opaque: opaque,
	})
}

// writeMap writes a mapping, in one write(2).
func writeMap(path, text string) error {
	//allow:path the host's /proc
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Write(fd, []byte(text))
		unix.Close(fd)
	}
	switch {
	case errors.Is(err, unix.EPERM):
		err = fmt.Errorf("%w (ids other than the user's own need privileges, and must exist in the user namespace of the runtime)", err)
	case err == nil:
		return nil
	}
	return &os.PathError{Op: "write", Path: path, Err: err}
}

// TryNamespaces runs a program that creates new namespaces (CLONE_NEW*), in a new user namespace
// if wanted, and ends. Without namespaces it shows whether a program can be run at all. It leaves
// nothing behind.
func TryNamespaces(flags uint64, inUserNamespace bool) error {
	const socket, image = 3, 4
	b := program.NewBuilder(socket)
	if inUserNamespace {
		// The kernel creates this one first, and the others belong to it.
		flags |= unix.CLONE_NEWUSER
	}
	if flags != 0 {
		b.Describe(program.Note{What: "make the namespace"})
		b.Unshare(flags)
	}
	b.Describe(program.Note{What: "report that the namespace is there"})
	b.Send(program.FD(socket), protocol.Done(protocol.StageCreated))
	b.Exit(0)
	p, err := b.Finish()
	if err != nil {
		return err
	}
	trial, err := Start(Command{Program: p, Files: []int{-1, -1, -1, -1, -1}, Socket: socket, Image: image})
	if err != nil {
		return err
	}
	defer trial.Close()
	defer trial.Kill()
	_, err = trial.Receive()
	return err
}
