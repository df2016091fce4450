package libcontainer

import (
	"errors"
	"fmt"
	"path"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/bundle"
	"coracle/libcontainer/compile"
	"coracle/libcontainer/launch"
	"coracle/libcontainer/program"
	"coracle/libcontainer/tree"
)

// mountHelper does for an init what takes more than a list of system calls: to copy a
// tree, and to follow a path link by link. It only uses descriptors that the init sends.
type mountHelper struct {
	spec     *specs.Spec
	copyFrom int // the directory for the next copy; -1 for none
}

func (h *mountHelper) close() {
	if h.copyFrom >= 0 {
		unix.Close(h.copyFrom)
		h.copyFrom = -1
	}
}

// serve serves a message about mounts; ok is false for any other one. answer tells that
// the init waits.
func (h *mountHelper) serve(e *launch.Event) (answer, ok bool, err error) {
	if e.Kind == program.KindValue && e.A == compile.ValueCopyFrom && e.FD >= 0 {
		h.close()
		h.copyFrom, e.FD = e.FD, -1
		return false, true, nil
	}
	if e.Kind != program.KindSync || e.FD < 0 || int(e.B) >= len(h.spec.Mounts) {
		return false, false, nil
	}
	dest := path.Clean("/" + h.spec.Mounts[e.B].Destination)
	subject := fmt.Sprintf("mount at %q (mounts[%d])", dest, e.B)
	switch e.A {
	case compile.SyncCopyUp:
		if h.copyFrom < 0 {
			return false, false, nil
		}
		err := tree.Copy(h.copyFrom, e.FD, tree.Root{
			Mode: e.C&compile.CopyMode != 0, UID: e.C&compile.CopyUID != 0, GID: e.C&compile.CopyGID != 0,
		})
		h.close()
		if errors.Is(err, unix.ENOSPC) {
			err = fmt.Errorf("%w (the tmpfs is too small for what is to be copied)", err)
		}
		if err != nil {
			return false, false, fmt.Errorf("%s: tmpcopyup: %w", subject, err)
		}
	case compile.SyncMakeDir, compile.SyncMakeFile:
		if err := tree.Make(e.FD, dest, e.A == compile.SyncMakeDir, h.rootOwner()); err != nil {
			return false, false, fmt.Errorf("%s: mount point behind a symbolic link: %w", subject, err)
		}
	default:
		return false, false, nil
	}
	return true, true, nil
}

// rootOwner is who root in the container is on the host.
func (h *mountHelper) rootOwner() tree.Owner {
	var o tree.Owner
	if l := h.spec.Linux; l != nil {
		if id, ok := bundle.IDMap(l.UIDMappings).ToHost(0); ok {
			o.UID = int(id)
		}
		if id, ok := bundle.IDMap(l.GIDMappings).ToHost(0); ok {
			o.GID = int(id)
		}
	}
	return o
}
