package libcontainer

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/hostfs"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/linux"
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

// serve serves a message of the init about mounts; ok is false for any other one. answer
// tells that the init waits.
func (h *mountHelper) serve(e *launch.Event, pid int) (answer, ok bool, err error) {
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
	owner, err := ownerOf(pid)
	if err != nil {
		return false, false, fmt.Errorf("%s: %w", subject, err)
	}
	switch e.A {
	case compile.SyncCopyUp:
		if h.copyFrom < 0 {
			return false, false, nil
		}
		err := hostfs.Copy(h.copyFrom, e.FD, hostfs.Root{
			Mode: e.C&compile.CopyMode != 0, UID: e.C&compile.CopyUID != 0, GID: e.C&compile.CopyGID != 0,
		}, owner)
		h.close()
		if errors.Is(err, unix.ENOSPC) {
			err = fmt.Errorf("%w (the tmpfs is too small for what is to be copied)", err)
		}
		if err != nil {
			return false, false, fmt.Errorf("%s: tmpcopyup: %w", subject, err)
		}
	case compile.SyncMakeDir, compile.SyncMakeFile:
		if err := hostfs.Make(e.FD, dest, e.A == compile.SyncMakeDir, owner); err != nil {
			return false, false, fmt.Errorf("%s: mount point behind a symbolic link: %w", subject, err)
		}
	default:
		return false, false, nil
	}
	return true, true, nil
}

// ownerOf is who a process is to file systems: for an init, root of the container.
func ownerOf(pid int) (hostfs.Owner, error) {
	var o hostfs.Owner
	path := fmt.Sprintf("/proc/%d/status", pid)
	//allow:path the host's /proc
	data, err := linux.ReadFollow(path, 1<<16)
	if err != nil {
		return o, err
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) != 5 {
			continue
		}
		id := &o.UID
		switch fields[0] {
		case "Uid:":
		case "Gid:":
			id = &o.GID
		default:
			continue
		}
		// Real, effective, saved and for file systems.
		n, err := strconv.ParseUint(fields[4], 10, 32)
		if err != nil {
			return o, fmt.Errorf("%s: %w", path, err)
		}
		*id = int(n)
	}
	return o, nil
}
