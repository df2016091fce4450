package libcontainer

import (
	"errors"
	"fmt"
	"path"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/hostfs"
	"coracle/libcontainer/internal/host/idmap"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/bundle"
)

// mountHelper does for an init what a list of system calls cannot do: copy a tree, and follow a
// path link by link. It uses only descriptors that the init sends.
type mountHelper struct {
	spec     *specs.Spec
	links    map[int]string   // see [compile.Output]
	places   []compile.Place  // the same
	numbers  hostfs.Territory // the mounts that the init has told of
	copyFrom linux.FD         // the directory for the next copy
	init     *launch.Init
}

func (h *mountHelper) close() { h.copyFrom.Close() }

// take keeps the directory for the next copy.
func (h *mountHelper) take(dir linux.FD) {
	h.close()
	h.copyFrom = dir
}

// tell notes the number of a mount; ok is false for one that does not exist.
func (h *mountHelper) tell(e *launch.Event) (ok bool) {
	nth, number := e.MountNumber()
	if nth != len(h.numbers) || nth >= len(h.places) {
		return false
	}
	p := h.places[nth]
	name := "the rootfs"
	if p.Index >= 0 {
		name = fmt.Sprintf("mounts[%d] at %q", p.Index, p.Dest)
	}
	h.numbers = append(h.numbers, hostfs.Mount{Number: uint64(number), Dest: p.Dest, Own: p.Own, Name: name})
	return true
}

// register registers the handlers of the points about mounts.
func (h *mountHelper) register(s *setup) {
	h.init = s.init
	at := func(p protocol.Point, do func(*launch.Event, mountRequest) error) {
		s.points[p] = handler{false, func(e *launch.Event) error {
			r, err := h.request(e, s.init.Pid)
			if err == nil {
				err = do(e, r)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", r.subject, err)
			}
			return s.init.Acknowledge()
		}}
	}
	at(protocol.PointCopyUp, h.copyUp)
	at(protocol.PointMakeDir, func(e *launch.Event, r mountRequest) error {
		return h.makePoint(e, r, hostfs.Point{Dir: true, NoLinks: e.NoLinks(), Mode: r.mode})
	})
	at(protocol.PointMakeLink, func(e *launch.Event, r mountRequest) error {
		target := h.links[int(e.Mount())]
		if target == "" {
			return errors.New("the init process asked for a symbolic link that leads nowhere")
		}
		return h.makePoint(e, r, hostfs.Point{Link: target})
	})
	at(protocol.PointMakeFile, func(e *launch.Event, r mountRequest) error {
		return h.makePoint(e, r, hostfs.Point{NoLinks: e.NoLinks(), Mode: r.mode})
	})
	at(protocol.PointPlace, h.checkPlace)
}

// mountRequest is a request of the init.
type mountRequest struct {
	dest, subject string
	mode          uint32
	owner         hostfs.Owner
	pid           int
	remount       bool
}

// request decodes a message.
func (h *mountHelper) request(e *launch.Event, pid int) (r mountRequest, err error) {
	r.pid = pid
	index := e.Mount()
	switch {
	case !e.FD.Exists():
		r.subject = "mount"
		return r, errors.New("the init process sent no descriptor")
	case int(index) < len(h.spec.Mounts):
		m := h.spec.Mounts[index]
		r.dest = path.Clean("/" + m.Destination)
		r.subject = fmt.Sprintf("mount at %q (mounts[%d])", r.dest, index)
		o, err := bundle.ParseMountOptions(m)
		if err != nil {
			return r, err
		}
		r.mode, r.remount = o.PointMode(m.Type), o.Remount
		if e.IsSync(protocol.PointMakeLink) {
			r.subject = fmt.Sprintf("copy of the symbolic link %q to %q (mounts[%d])", m.Source, r.dest, index)
		}
	case index == protocol.Cwd && h.spec.Process != nil:
		r.dest = path.Clean("/" + h.spec.Process.Cwd)
		r.subject = fmt.Sprintf("working directory %q (process.cwd)", r.dest)
	case h.protected(e, &r):
	default:
		d, ok := e.Device()
		if !ok || h.spec.Linux == nil || d >= len(h.spec.Linux.Devices) {
			r.subject = "mount"
			return r, fmt.Errorf("the init process asked for the mount %d, which does not exist", index)
		}
		node := h.spec.Linux.Devices[d].Path
		r.dest = path.Clean("/" + node)
		if !e.IsSync(protocol.PointMakeFile) {
			r.dest = path.Dir(r.dest)
		}
		r.subject = fmt.Sprintf("make the device %q (linux.devices[%d])", node, d)
	}
	r.owner, err = ownerOf(pid)
	return r, err
}

// protected finds out whether a message is about a path that is to be masked or read-only.
func (h *mountHelper) protected(e *launch.Event, r *mountRequest) bool {
	i, ok := e.Protected()
	if !ok || h.spec.Linux == nil {
		return false
	}
	list, what, property := h.spec.Linux.ReadonlyPaths, "make read-only", "readonlyPaths"
	if i >= len(list) {
		i -= len(list)
		list, what, property = h.spec.Linux.MaskedPaths, "mask", "maskedPaths"
	}
	if i >= len(list) {
		return false
	}
	r.dest = path.Clean("/" + list[i])
	r.subject = fmt.Sprintf("%s %q (linux.%s[%d])", what, list[i], property, i)
	return true
}

// checkPlace finds out whether something may be done in a mount that is not the one that its
// path lies in, as it is written. A device is made there, and a mount changed by a remount, so
// those have to be in the right one. A mount that is put there changes nothing but what the container
// sees, unless the mount below is shared with somebody.
func (h *mountHelper) checkPlace(e *launch.Event, r mountRequest) error {
	number := uint64(e.InMount())
	if _, device := e.Device(); !device && !r.remount {
		shared, err := linux.PID(r.pid).SharedMount(number)
		if err != nil || !shared {
			return err
		}
	}
	return h.numbers.Check(e.FD.Int(), r.dest, number)
}

// copyUp copies files into a tmpfs.
func (h *mountHelper) copyUp(e *launch.Event, r mountRequest) error {
	if !h.copyFrom.Exists() {
		return errors.New("tmpcopyup: the init process sent no directory to copy")
	}
	takes := e.Takes()
	err := hostfs.Copy(h.copyFrom.Int(), e.FD.Int(), hostfs.Root{
		Mode: takes&protocol.TakesMode != 0, UID: takes&protocol.TakesUID != 0, GID: takes&protocol.TakesGID != 0,
	}, r.owner, writer{h.init})
	h.close()
	if errors.Is(err, unix.ENOSPC) {
		err = fmt.Errorf("%w (the tmpfs is too small for what is to be copied)", err)
	}
	if err != nil {
		return fmt.Errorf("tmpcopyup: %w", err)
	}
	return nil // the acknowledgement is protocol.OrderEnd
}

// writer has an init make files, and so charges them to the container.
type writer struct{ init *launch.Init }

// order gives an order, and waits for its result where it has one.
func (w writer) order(kind protocol.OrderKind, fd int, number uint32, name, target string) (result int, err error) {
	order, ok := protocol.EncodeOrder(kind, number, name, target)
	if !ok {
		return 0, unix.ENAMETOOLONG
	}
	if err := w.init.Order(order, fd); err != nil || kind == protocol.OrderTo {
		return 0, err
	}
	e, err := w.init.Receive()
	if err != nil {
		return 0, err
	}
	defer e.FD.Close()
	if !e.IsValue(protocol.ValueResult) {
		return 0, fmt.Errorf("the init process sent an unexpected message: %s", e.Message)
	}
	if n := e.Result(); n < 0 {
		return 0, unix.Errno(-n)
	}
	return e.Result(), nil
}

func (w writer) Mkdir(dir int, name string, mode uint32) error {
	_, err := w.order(protocol.OrderMakeDir, dir, mode, name, "")
	return err
}

func (w writer) Mknod(dir int, name string, mode uint32) error {
	_, err := w.order(protocol.OrderMakeNode, dir, mode, name, "")
	return err
}

func (w writer) Symlink(target string, dir int, name string) error {
	_, err := w.order(protocol.OrderMakeLink, dir, 0, name, target)
	return err
}

func (w writer) Copy(to, from int, most uint32) (int, error) {
	if _, err := w.order(protocol.OrderTo, to, 0, "", ""); err != nil {
		return 0, err
	}
	return w.order(protocol.OrderCopy, from, most, "", "")
}

// makePoint creates a mount point. For a working directory and a device it does not follow links
// of the image: there it only finds out why the init is denied.
func (h *mountHelper) makePoint(e *launch.Event, r mountRequest, p hostfs.Point) error {
	_, device := e.Device()
	explains := device || e.Mount() == protocol.Cwd
	p.NoDangling, p.In = explains, h.numbers
	err := hostfs.Make(e.FD.Int(), r.dest, p, r.owner)
	var denied *hostfs.Denied
	switch {
	case err == nil:
		return nil
	case explains && !errors.As(err, &denied) && !errors.As(err, new(*hostfs.OtherMount)):
		// The init finds the error itself, and reports it as engines expect.
		return nil
	}
	return fmt.Errorf("%w%s", err, whyDenied(err, r.owner, r.pid))
}

// whyDenied says why an init may not create something in a directory if the reason is that the
// user namespace does not map the directory's owner; otherwise it is empty.
func whyDenied(err error, owner hostfs.Owner, pid int) string {
	var denied *hostfs.Denied
	if !errors.As(err, &denied) {
		return ""
	}
	if errors.Is(err, unix.EOVERFLOW) {
		return fmt.Sprintf(": the mapping of ids of the mount that %q is in has no user %d or no group %d", denied.Dir, owner.UID, owner.GID)
	}
	uids, gids, e := idmap.Of(linux.PID(pid))
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

// ownerOf returns the file system ids of a process: for an init, those of the container's root.
func ownerOf(pid int) (o hostfs.Owner, err error) {
	const forFiles = 3 // after the real, the effective and the saved id
	status, err := linux.PID(pid).Status()
	if err == nil {
		o.UID, err = status.Number("Uid", forFiles)
	}
	if err == nil {
		o.GID, err = status.Number("Gid", forFiles)
	}
	return o, err
}
