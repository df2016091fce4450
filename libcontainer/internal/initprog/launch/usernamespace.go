package launch

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
)

// UserNamespace makes a user namespace with the given mappings, as uid_map and gid_map
// in /proc take them, and returns a descriptor of it. Nobody is in the namespace.
//
// It takes a process to make one and to name it by. That process is a program that waits
// for its end; it has gone when the function returns, whatever happens meanwhile.
func UserNamespace(uids, gids string) (int, error) {
	const socket, image = 3, 4
	b := program.NewBuilder(socket)
	b.Describe(program.Note{What: "hold the user namespace"})
	// The end of the conversation is the end of the process, even when this one dies.
	b.Recv(program.FD(socket), b.Buffer("end", program.MessageSize), program.MessageSize)
	p, err := b.Finish()
	if err != nil {
		return -1, err
	}
	holder, err := Start(Command{
		Program: p, CloneFlags: unix.CLONE_NEWUSER, Files: []int{-1, -1, -1, -1, -1},
		Socket: socket, Image: image, CgroupFD: -1, Interrupt: -1, Opaque: true,
	})
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

// writeMap writes a mapping, which has to be done in one piece.
func writeMap(path, text string) error {
	//allow:path the host's /proc
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Write(fd, []byte(text))
		unix.Close(fd)
	}
	switch {
	case errors.Is(err, unix.EPERM):
		err = fmt.Errorf("%w (ids that are not one's own need privileges, and must exist in the user namespace of the runtime)", err)
	case err == nil:
		return nil
	}
	return &os.PathError{Op: "write", Path: path, Err: err}
}
