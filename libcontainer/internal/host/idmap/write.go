// Package idmap writes the id mappings of user namespaces, and finds the ids that a user without
// privileges may map (user_namespaces(7), subuid(5)).
package idmap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/bundle"
)

// Write writes the mappings of a configuration for the new user namespace of a process, which has
// to be a child of this process. privileged reports whether this process may map any ids, and may
// leave setgroups(2) allowed.
//
// Mappings that the kernel does not let this process write are written by newuidmap and
// newgidmap.
func Write(pid int, uids, gids bundle.IDMap, privileged bool, interrupt *linux.Interrupt) error {
	// The process is a child that nobody has waited for, so its pid cannot have been reused.
	//allow:path the host's /proc
	dir, err := unix.Open("/proc/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("mappings of ids: init process %d: %w", pid, err)
	}
	defer unix.Close(dir)
	for _, m := range []mapping{
		{"gid_map", "linux.gidMappings", "newgidmap", gids}, {"uid_map", "linux.uidMappings", "newuidmap", uids},
	} {
		if err := m.write(dir, pid, privileged, interrupt); err != nil {
			return err
		}
	}
	return nil
}

// mapping is one of the two maps of a user namespace.
type mapping struct {
	file    string // in /proc/PID
	pointer string
	helper  string
	ids     bundle.IDMap
}

func (m mapping) write(dir, pid int, privileged bool, interrupt *linux.Interrupt) error {
	// Without privileges a process can map only one id, its own, and a gid only after
	// setgroups(2) was denied.
	if !privileged {
		if len(m.ids) != 1 || m.ids[0].Size != 1 {
			return m.help(pid, interrupt)
		}
		if m.file == "gid_map" {
			if err := writeProc(dir, "setgroups", "deny"); err != nil {
				return fmt.Errorf("map ids of the user namespace (%s): %w", m.pointer, err)
			}
		}
	}
	err := writeProc(dir, m.file, m.ids.String())
	if errors.Is(err, unix.EPERM) {
		return m.help(pid, interrupt)
	}
	if err != nil {
		return fmt.Errorf("map ids of the user namespace (%s): %w", m.pointer, err)
	}
	return nil
}

// writeProc writes a file in /proc/PID in a single write(2), as the kernel requires.
func writeProc(dir int, name, data string) error {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Write(fd, []byte(data))
		unix.Close(fd)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// helperDirs are the directories in which newuidmap and newgidmap are looked for. PATH is not
// used, because engines often pass none.
var helperDirs = []string{"/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin", "/run/wrappers/bin"}

// findHelper returns the path of newuidmap or newgidmap.
func findHelper(name string) (path string, ok bool) {
	for _, d := range helperDirs {
		//allow:path programs of the host at fixed places
		if path = filepath.Join(d, name); unix.Access(path, unix.X_OK) == nil {
			return path, true
		}
	}
	return "", false
}

// listen reads what a helper says until it ends, and returns the beginning of it. The helper asks
// the databases of users, which may be slow.
func listen(out *os.File, interrupt *linux.Interrupt) (said []byte, err error) {
	fds := []unix.PollFd{{Fd: int32(out.Fd()), Events: unix.POLLIN}}
	buf := make([]byte, 4096)
	for {
		if _, err := interrupt.PollUntil(fds, time.Time{}); err != nil {
			return said, err
		}
		n, err := out.Read(buf)
		if err != nil {
			return said, nil // the end of it
		}
		said = append(said, buf[:min(n, len(buf)-len(said))]...)
	}
}

// help writes a map by means of the set-user-ID helper.
func (m mapping) help(pid int, interrupt *linux.Interrupt) error {
	path, ok := findHelper(m.helper)
	if !ok {
		return fmt.Errorf("map ids of the user namespace (%s): mapping more than your own id without privileges needs %s, which is not installed (Debian has it in the package uidmap)", m.pointer, m.helper)
	}
	args := append([]string{m.helper, strconv.Itoa(pid)}, strings.Fields(m.ids.String())...)
	out, in, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer out.Close()
	//allow:path the null device of the host
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		in.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	defer null.Close()
	p, err := os.StartProcess(path, args, &os.ProcAttr{Env: []string{}, Files: []*os.File{null, null, in}})
	in.Close()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	said, interrupted := listen(out, interrupt)
	if interrupted != nil {
		_ = p.Kill() // it has the real id of the caller, who may therefore do that
	}
	status, err := p.Wait()
	if interrupted != nil {
		return fmt.Errorf("%s: %w", path, interrupted)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !status.Success() {
		text := strings.Join(strings.FieldsFunc(string(said), func(r rune) bool { return r == '\n' }), " | ")
		return fmt.Errorf("map ids of the user namespace (%s): %s: %s (does /etc/sub%s give this user the ids?)", m.pointer, path, strings.TrimSpace(text), m.file[:3])
	}
	return nil
}

// Helper is where newuidmap or newgidmap is, and whether it may map ids: whether it is
// set-user-id or has the capability in its file.
func Helper(name string) (path string, able, found bool) {
	if path, found = findHelper(name); !found {
		return "", false, false
	}
	var st unix.Stat_t
	//allow:path programs of the host at fixed places
	if unix.Stat(path, &st) == nil && st.Mode&unix.S_ISUID != 0 && st.Uid == 0 {
		return path, true, true
	}
	//allow:path the same
	n, err := unix.Getxattr(path, "security.capability", nil)
	return path, err == nil && n > 0, true
}
