package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/host/source"
	"coracle/libcontainer/internal/initprog/compile"
	"coracle/libcontainer/internal/initprog/launch"
	"coracle/libcontainer/internal/initprog/protocol"
	"coracle/libcontainer/internal/state"
)

// hostFiles are the descriptors that this process opens for an init.
type hostFiles struct {
	fds []int
	// nullTree is the tree for protected null devices; 0 when there is none. Closing such a tree
	// takes the kernel up to a millisecond, so it is closed when this process would only wait.
	nullTree int
}

// close closes the descriptors in this process. The init has its own copies. If these stayed
// open, nobody would see the end of a stream or of the gate.
func (h *hostFiles) close() {
	for _, fd := range h.fds {
		unix.Close(fd)
	}
	h.fds = nil
}

// closeIdle closes what is slow to close and has no effect on others.
func (h *hostFiles) closeIdle() {
	if h.nullTree != 0 {
		unix.Close(h.nullTree)
		h.nullTree = 0
	}
}

// keep adds a descriptor to the files.
func (h *hostFiles) keep(fd int) int {
	h.fds = append(h.fds, fd)
	return fd
}

func (h *hostFiles) open(path string, flags int, what string) (int, error) {
	//allow:path files of the host that the caller has named
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", what, &os.PathError{Op: "open", Path: path, Err: err})
	}
	return h.keep(fd), nil
}

// stdio has the standard streams of a process; nil means the caller's.
type stdio [3]*os.File

// layout arranges the descriptors of an init as its program expects them. The terminal's socket
// and the gate are -1 when there is none.
func (h *hostFiles) layout(out *compile.Output, preserved []bool, streams stdio, terminal, gate int) ([]int, error) {
	null, err := h.open("/dev/null", unix.O_RDWR, "standard streams")
	if err != nil {
		return nil, err
	}
	inherited := make([]int, 3, 3+len(preserved))
	for i, f := range streams {
		switch {
		case out.Console >= 0:
			// A process with its own terminal must not keep the runtime's streams open.
			inherited[i] = null
		case f != nil:
			inherited[i] = int(f.Fd())
		default:
			inherited[i] = i
		}
		if out.Console < 0 {
			if inherited[i], err = h.guardNull(inherited[i]); err != nil {
				return nil, err
			}
		}
	}
	for i, open := range preserved {
		fd := 3 + i
		if !open {
			fd = null // a placeholder that the program closes
		}
		inherited = append(inherited, fd)
	}
	files, err := h.table(out, inherited)
	if err != nil {
		return nil, err
	}
	if out.Gate >= 0 {
		files[out.Gate] = gate
	}
	if out.Console >= 0 {
		files[out.Console] = terminal
	}
	return files, nil
}

// guardNull replaces the host's null device with a mount that can be used but not changed.
// Otherwise root in the container could change the device's mode or owner on the host.
func (h *hostFiles) guardNull(fd int) (int, error) {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
		return fd, nil
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return -1, fmt.Errorf("standard streams: %w", os.NewSyscallError("fcntl", err))
	}
	if h.nullTree == 0 {
		tree, err := source.Tree{
			What: "null device for a standard stream", Path: "/dev/null", Node: source.Null, Attrs: []source.Attr{{Set: unix.MOUNT_ATTR_RDONLY}},
		}.Open(nil)
		if errors.Is(err, unix.EPERM) {
			return fd, nil // without privileges the container cannot change the host's device
		}
		if err != nil {
			return -1, err
		}
		h.nullTree = tree
	}
	return h.open("/proc/self/fd/"+strconv.Itoa(h.nullTree), flags&unix.O_ACCMODE|unix.O_NOCTTY, "standard streams")
}

// table opens the sources of a program and adds them after the inherited descriptors.
func (h *hostFiles) table(out *compile.Output, inherited []int) ([]int, error) {
	files := make([]int, out.SourceFD, out.SourceFD+len(out.Sources))
	for i := copy(files, inherited); i < len(files); i++ {
		files[i] = inherited[0] // a placeholder, where nothing else comes
	}
	for _, s := range out.Sources {
		fd, err := s.Open(func(number int) int { return files[number] })
		if err != nil {
			return nil, err
		}
		files = append(files, h.keep(fd))
	}
	return files, nil
}

// supply opens the sources that an init requests while it runs.
type supply struct {
	out  *compile.Output
	init *launch.Init
	// apart has the numbers of the sources that were opened in a copy of the mount namespace: a
	// second attempt would not help.
	apart []int
	// userns is the number of the last user namespace that was opened for an id mapping, 0 for
	// none.
	userns, usernsFD int
}

// serve answers the init with the source that it asks for.
func (s *supply) serve(e *launch.Event) error {
	fd, err := s.open(e.Source())
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return s.init.AnswerWith(fd)
}

func (s *supply) close() {
	if s.userns != 0 {
		unix.Close(s.usernsFD)
		s.userns = 0
	}
}

// source returns a source by its number.
func (s *supply) source(number int) (source.Source, error) {
	list, i := s.out.Sources, number-s.out.SourceFD
	if number >= protocol.LaterSource {
		list, i = s.out.Later, number-protocol.LaterSource
	}
	if i < 0 || i >= len(list) {
		return nil, fmt.Errorf("the init process requested the source %d, which does not exist", number)
	}
	return list[i], nil
}

func (s *supply) open(number int, apart bool) (int, error) {
	found, err := s.source(number)
	if err != nil {
		return -1, err
	}
	t, ok := found.(source.Tree)
	switch {
	case !ok:
		return -1, fmt.Errorf("the init process requested the %s twice", source.Describe(found))
	case apart && slices.Contains(s.apart, number):
		return -1, fmt.Errorf("%s (%s): the kernel refuses to mount it there: %w", t.What, t.Property, unix.ELOOP)
	}
	for _, a := range t.Attrs {
		if a.IDMap == 0 {
			continue
		}
		if err := s.openUserNamespace(a.IDMap); err != nil {
			return -1, err
		}
	}
	userns := func(int) int { return s.usernsFD }
	if !apart {
		return t.Open(userns)
	}
	s.apart = append(s.apart, number)
	t.Warn = nil // the warnings have been given already
	return t.OpenApart(userns)
}

// openUserNamespace opens a user namespace for an id mapping; a tree has at most one. The ones
// for the start of the init are closed already.
func (s *supply) openUserNamespace(number int) error {
	if s.userns == number {
		return nil
	}
	s.close()
	found, err := s.source(number)
	if err != nil {
		return err
	}
	fd, err := found.Open(nil)
	if err != nil {
		return err
	}
	s.userns, s.usernsFD = number, fd
	return nil
}

// listen makes the gate's socket of a container.
func (h *hostFiles) listen(dir *state.Dir) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("gate: %w", os.NewSyscallError("socket", err))
	}
	h.keep(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: gatePath(dir)}); err != nil {
		return -1, fmt.Errorf("gate: %w", os.NewSyscallError("bind", err))
	}
	if err := unix.Listen(fd, 1); err != nil {
		return -1, fmt.Errorf("gate: %w", os.NewSyscallError("listen", err))
	}
	return fd, nil
}

// gatePath returns a path of the gate through the descriptor of its directory, because the path
// of a state root may be too long for a socket address.
func gatePath(dir *state.Dir) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.FD(), state.GateName)
}

// openDescriptors reports which of the descriptors from 3 on are open. The runtime's own
// descriptors, which are close-on-exec, do not count.
func openDescriptors(count int) []bool {
	open := make([]bool, count)
	for i := range open {
		flags, err := unix.FcntlInt(uintptr(3+i), unix.F_GETFD, 0)
		open[i] = err == nil && flags&unix.FD_CLOEXEC == 0
	}
	return open
}

// writePidFile writes the pid file atomically. Engines read it at any time, without trimming.
func writePidFile(path string, pid int) error {
	temporary := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), os.Getpid()))
	//allow:path in a directory of the host that the caller has named
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	_, err = f.WriteString(strconv.Itoa(pid))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		//allow:path the same directory
		err = os.Rename(temporary, path)
	}
	if err != nil {
		//allow:path the same directory
		_ = os.Remove(temporary)
		return fmt.Errorf("pid file: %w", err)
	}
	return nil
}
