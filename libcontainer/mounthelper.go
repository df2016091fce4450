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
	"coracle/libcontainer/internal/host/idmap"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/bundle"
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
	if e.Kind != program.KindSync || e.FD < 0 {
		return false, false, nil
	}
	var dest, subject string
	point := hostfs.Point{Dir: e.A == compile.SyncMakeDir, NoLinks: e.C != 0}
	switch {
	case int(e.B) < len(h.spec.Mounts):
		m := h.spec.Mounts[e.B]
		dest = path.Clean("/" + m.Destination)
		subject = fmt.Sprintf("mount at %q (mounts[%d])", dest, e.B)
		o, err := bundle.ParseMountOptions(m)
		if err != nil {
			return false, false, fmt.Errorf("%s: %w", subject, err)
		}
		point.Mode = o.PointMode(m.Type)
	case e.B == compile.MakeCwd && h.spec.Process != nil:
		dest = path.Clean("/" + h.spec.Process.Cwd)
		subject = fmt.Sprintf("working directory %q (process.cwd)", dest)
	default:
		return false, false, nil
	}
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
		if err := hostfs.Make(e.FD, dest, point, owner); err != nil {
			return false, false, fmt.Errorf("%s: %w%s", subject, err, whyDenied(err, owner, pid))
		}
	default:
		return false, false, nil
	}
	return true, true, nil
}

// whyDenied says why an init may not make something in a directory, where the reason is that
// the user namespace does not map the owner of the directory; otherwise it is empty.
func whyDenied(err error, owner hostfs.Owner, pid int) string {
	var denied *hostfs.Denied
	if !errors.As(err, &denied) {
		return ""
	}
	if errors.Is(err, unix.EOVERFLOW) {
		return fmt.Sprintf(": the mapping of ids of the mount that %q is in has no user %d or no group %d", denied.Dir, owner.UID, owner.GID)
	}
	uids, gids, e := idmap.Of(strconv.Itoa(pid))
	if e != nil {
		return ""
	}
	_, hasUser := uids.ToContainer(uint32(denied.UID))
	_, hasGroup := gids.ToContainer(uint32(denied.GID))
	missing := ""
	switch {
	case !hasUser:
		missing = "user (linux.uidMappings)"
	case !hasGroup:
		missing = "group (linux.gidMappings)"
	default:
		return ""
	}
	return fmt.Sprintf(": %q belongs to user %d and group %d of the host, and the user namespace has no such %s", denied.Dir, denied.UID, denied.GID, missing)
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
