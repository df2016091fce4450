package source

import (
	"fmt"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/initprog/protocol"
)

// OpenApart opens the tree like [Tree.Open], but in a copy of this process's mount namespace. The
// kernel leaves mounts that pin a mount namespace out of the copy. A tree with such a mount
// cannot be attached in a namespace that is newer than the pinned one.
//
// A program enters the copy; it has ended when the function returns.
func (t Tree) OpenApart(opened Opened) (int, error) {
	b := program.NewBuilder(copySocket)
	n := program.Note{What: t.What, Property: t.Property}
	b.Describe(n)
	word := b.Word("tree", -1)
	if t.NoLinks {
		at := b.Word("at", -1)
		//allow:path a path of the host that the caller has named
		b.Openat2(program.Cwd(), t.Path, program.Lookup{Flags: unix.O_CLOEXEC | t.LookupFlags(), Resolve: unix.RESOLVE_NO_SYMLINKS}).Into(at)
		b.OpenTree(at.Arg(), "", unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|t.Flags()).Into(word)
	} else {
		//allow:path the same
		b.OpenTree(program.Cwd(), t.Path, unix.OPEN_TREE_CLOEXEC|t.Flags()).Into(word)
	}
	b.SendFD(program.FD(copySocket), protocol.ValueOf(protocol.ValueTree).Encode(), word.Arg())
	p, err := b.Finish()
	if err != nil {
		return -1, err
	}
	tree, err := fromCopy(p, &n)
	if err != nil {
		return -1, err
	}
	if err := t.prepare(tree, opened); err != nil {
		unix.Close(tree)
		return -1, err
	}
	return tree, nil
}

// copySocket is the descriptor of the socket in a program for [fromCopy].
const copySocket = 3

// fromCopy runs a program in a copy of this process's mount namespace, and returns the tree that
// it sends. The program has ended when the function returns.
func fromCopy(p *program.Program, n *program.Note) (int, error) {
	process, err := launch.Start(launch.Command{
		Program: p, CloneFlags: unix.CLONE_NEWNS, Files: []int{-1, -1, -1, -1, -1},
		Socket: copySocket, Image: copySocket + 1, Opaque: true,
	})
	if err != nil {
		return -1, fmt.Errorf("%s: copy the mount namespace: %w", n.Subject(), err)
	}
	defer process.Close()
	defer process.Kill()
	e, err := process.Receive()
	if err == nil && !e.FD.Exists() {
		err = fmt.Errorf("%s: the process in a copy of the mount namespace has sent nothing", n.Subject())
	}
	return e.FD.Int(), err
}
