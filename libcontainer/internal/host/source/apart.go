package source

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
)

// OpenApart makes the tree like [Tree.Open], from a copy of the mount namespace of this
// process. The kernel leaves mounts out of the copy that pin a mount namespace; a tree with
// one of those cannot be attached in a namespace that is newer than the pinned one.
//
// It takes a process to be in the copy: a program that has ended when the function returns.
func (t Tree) OpenApart(opened Opened) (int, error) {
	const socket, image = 3, 4
	b := program.NewBuilder(socket)
	n := program.Note{What: t.What, Property: t.Property}
	b.Describe(n)
	tree := b.Word("tree", -1)
	//allow:path a path of the host that the caller has named
	b.OpenTree(program.Cwd(), t.Path, unix.OPEN_TREE_CLOEXEC|t.Flags()).Into(tree)
	b.SendFD(program.FD(socket), protocol.ValueOf(protocol.ValueTree).Encode(), tree.Arg())
	p, err := b.Finish()
	if err != nil {
		return -1, err
	}
	process, err := launch.Start(launch.Command{
		Program: p, CloneFlags: unix.CLONE_NEWNS, Files: []int{-1, -1, -1, -1, -1},
		Socket: socket, Image: image, Opaque: true,
	})
	if err != nil {
		return -1, fmt.Errorf("%s: copy the mount namespace: %w", n.Subject(), err)
	}
	defer process.Close()
	defer process.Kill()
	e, err := process.Receive()
	if err == nil && !e.FD.Exists() {
		err = errors.New("the process that opens it has sent nothing")
	}
	if err != nil {
		return -1, err
	}
	if err := t.prepare(e.FD.Int(), opened); err != nil {
		e.FD.Close()
		return -1, err
	}
	return e.FD.Int(), nil
}
