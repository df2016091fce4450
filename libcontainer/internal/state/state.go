// Package state keeps what commands have to know about containers: one directory for each
// container below a root such as /run/coracle.
//
// The directory of a container has its record, a copy of its configuration and the socket of its
// gate. A record is written before the first side effect that it describes, and replaced
// atomically after that, so that there is always enough on disk to clean up. Nothing is synced to
// stable storage, because records do not outlive the processes that they describe.
package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/failpoint"
	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/host/rdt"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/jsonpos"
)

// Names in a container's directory.
const (
	recordName = "state.json"
	configName = "config.json"
	// creatingName exists until create has finished, or until a run that starts the process at
	// once has seen the process begin. Removing a file is faster than writing the record again.
	creatingName = "creating"
	// GateName is the socket that start connects to.
	GateName = "gate"
)

// runtimeName marks the records of this runtime.
const runtimeName = "coracle"

var (
	// ErrNotExist is wrapped by errors about containers that do not exist.
	ErrNotExist = fault.New(fault.NotFound, "container does not exist")
	// ErrExist is wrapped by errors about ids that are in use.
	ErrExist = fault.New(fault.Exists, "container with given ID already exists")
	// ErrUnreadable is wrapped by errors about malformed records.
	ErrUnreadable = fault.New(fault.StateUnreadable, "unreadable state")
)

// Record is the state of a container. It includes what only later commands need, because nothing
// is derived from flags again.
type Record struct {
	// Runtime is "coracle". Engines let several runtimes share a root.
	Runtime string `json:"runtime"`
	ID      string `json:"id"`
	Bundle  string `json:"bundle"`
	Rootfs  string `json:"rootfs"`
	// Created is in the format of RFC 3339.
	Created     string            `json:"created"`
	Owner       int               `json:"owner"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// Pid and StartTime identify the init process; 0 before it exists. The start
	// time is in clock ticks since boot, as in /proc/PID/stat.
	Pid       int    `json:"pid"`
	StartTime uint64 `json:"startTime"`
	// PrivatePid reports whether the container has a new pid namespace, so that all its processes
	// die with the init.
	PrivatePid bool `json:"privatePid"`
	// NoNewKeyring reports whether the container uses the session keyring of its creator.
	NoNewKeyring bool `json:"noNewKeyring,omitempty"`
	// Keyring is the name of the session keyring; empty without one, and in records of older
	// versions.
	Keyring string `json:"keyring,omitempty"`
	// Place is where the init process is; nil without a process, and in records of older
	// versions.
	Place *Place `json:"place,omitempty"`
	// HasProcess reports whether the configuration has a process, which start needs.
	HasProcess bool `json:"hasProcess,omitempty"`
	// StartHooks reports whether start has to run hooks.
	StartHooks bool `json:"startHooks,omitempty"`
	// Poststop reports whether hooks have to run when the container is deleted.
	Poststop bool         `json:"poststop,omitempty"`
	Cgroup   cgroup.Saved `json:"cgroup"`
	// Rdt are the container's groups in resctrl; nil when there are none.
	Rdt *rdt.Saved `json:"rdt,omitempty"`
	// Listener is the agent that gets the seccomp listener of the init; nil when there is none.
	Listener *Listener `json:"seccompListener,omitempty"`
	// Mute reports whether the init cannot report that it failed to execute the command.
	Mute bool `json:"mute,omitempty"`
	// Steps are the ops of the init program behind the gate, so that start can
	// say what failed.
	Steps []Step `json:"steps,omitempty"`
}

// Listener is the agent that decides about system calls of a container.
type Listener struct {
	Path     string `json:"path"`
	Metadata string `json:"metadata,omitempty"`
}

// Step describes an op of the init program.
type Step struct {
	Op   int      `json:"op"`
	What string   `json:"what"`
	Kind StepKind `json:"kind"`
	// Call is the name of the system call, for messages.
	Call string `json:"call"`
	// Property and Path are the property and the path in the container that it is about.
	Property string `json:"property,omitempty"`
	Path     string `json:"path,omitempty"`
}

// StepKind is the kind of an op, for errors.
type StepKind string

const (
	StepSyscall StepKind = "syscall"
	StepExec    StepKind = "exec" // executes the command
	StepCheck   StepKind = "check"
)

// upgrade completes a record of an older version, in which steps have only these names and no
// kinds. Whether there is a process follows from them.
func (r *Record) upgrade() {
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Kind != "" {
			continue
		}
		switch s.Call {
		case "execve":
			s.Kind, r.HasProcess = StepExec, true
		case "check":
			s.Kind = StepCheck
		default:
			s.Kind = StepSyscall
		}
	}
}

// CheckID reports whether id can name a container.
func CheckID(id string) error {
	if id == "" {
		return fault.IDInvalid.Errorf("container id is empty")
	}
	if len(id) > 1024 {
		return fault.IDInvalid.Errorf("container id has more than 1024 characters")
	}
	for _, r := range id {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("_+-.", r):
		default:
			return fault.IDInvalid.Errorf("invalid container id %q: only letters, digits and the characters _+-. are possible", id)
		}
	}
	if id == "." || id == ".." {
		return fault.IDInvalid.Errorf("invalid container id %q", id)
	}
	return nil
}

// Root is the directory that contains the directories of all containers.
type Root string

// Dir is the directory of a container.
type Dir struct {
	ID   string
	Path string
	fd   int // -1 when it is closed
}

// Create creates the directory of a new container and locks it. Creating the directory decides
// between two creates with the same id.
func (r Root) Create(id string) (*Dir, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	// Only the owner may read the state of containers.
	mode := fs.FileMode(0o700)
	if os.Geteuid() != 0 {
		// Old files in users' runtime directories are removed, except sticky ones (XDG Base
		// Directory Specification).
		mode |= fs.ModeSticky
	}
	path := filepath.Join(string(r), id)
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		if err := os.MkdirAll(string(r), mode); err != nil {
			return nil, fmt.Errorf("state root: %w", err)
		}
		err = os.Mkdir(path, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("container %q: %w", id, ErrExist)
	}
	if err != nil {
		return nil, fmt.Errorf("state of container %q: %w", id, err)
	}
	d, err := r.open(id)
	if err != nil {
		_ = os.Remove(path)
		return nil, err
	}
	if err = d.Lock(nil); err == nil {
		err = d.writeNew(creatingName, nil)
	}
	if err != nil {
		_ = d.Remove()
		d.Close()
		return nil, fmt.Errorf("state of container %q: %w", id, err)
	}
	return d, nil
}

// Open opens the directory of a container.
func (r Root) Open(id string) (*Dir, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	return r.open(id)
}

// open opens the directory of a container.
//
// Attacker: another user, with write permission in the root. The content of the directory decides
// which processes are killed and which programs are run, so it has to belong to the user who runs
// the command. Even root trusts no other user's directory: otherwise every user could become root
// by having root manage their containers.
func (r Root) open(id string) (*Dir, error) {
	path := filepath.Join(string(r), id)
	// Not by package os, which would start an event loop for it.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil, fmt.Errorf("container %q: %w", id, ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("state of container %q: %w", id, &os.PathError{Op: "open", Path: path, Err: err})
	}
	d := &Dir{ID: id, Path: path, fd: fd}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if me := os.Geteuid(); err == nil && int(st.Uid) != me {
		err = fmt.Errorf("%w: %s belongs to user %d, this is user %d", ErrUnreadable, path, st.Uid, me)
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("state of container %q: %w", id, err)
	}
	return d, nil
}

// IDs returns the names in the root that could be containers. Other runtimes and users may keep
// other files there.
func (r Root) IDs() ([]string, error) {
	entries, err := os.ReadDir(string(r))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state root: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && CheckID(e.Name()) == nil {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// FD returns a descriptor of the directory.
func (d *Dir) FD() int { return d.fd }

// lockInterval is how often a lock is tried, and lockPatience how long.
const (
	lockInterval = 5 * time.Millisecond
	lockPatience = 30 * time.Second
)

// Lock waits until no other command changes the container. Closing the directory
// unlocks it. The error after too long a time names who has the lock.
func (d *Dir) Lock(i *linux.Interrupt) error {
	patience := failpoint.Patience(lockPatience)
	for deadline := time.Now().Add(patience); ; {
		if ok, err := d.TryLock(); ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return d.Occupied(patience)
		}
		if err := i.Sleep(lockInterval); err != nil {
			return fmt.Errorf("lock container %q: %w", d.ID, err)
		}
	}
}

// Occupied is the error for who has waited for the lock in vain.
func (d *Dir) Occupied(waited time.Duration) error {
	return fmt.Errorf("container %q: %s has been at work on it for more than %d s", d.ID, linux.Lockholder(d.FD()), int(waited.Seconds()))
}

// TryLock is Lock without waiting; ok is false when another command has the lock.
func (d *Dir) TryLock() (ok bool, err error) {
	err = unix.Flock(d.FD(), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock container %q: %w", d.ID, err)
	}
	return true, nil
}

// Busy reports whether a command is changing the container. It must not be called with the lock,
// which would be lost.
func (d *Dir) Busy() bool {
	if err := unix.Flock(d.FD(), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		return errors.Is(err, unix.EWOULDBLOCK)
	}
	_ = unix.Flock(d.FD(), unix.LOCK_UN)
	return false
}

// Creating reports whether create has not finished: it is still running, or was interrupted.
func (d *Dir) Creating() bool { return d.has(creatingName) }

// Created marks that create has finished.
func (d *Dir) Created() error {
	if err := unix.Unlinkat(d.FD(), creatingName, 0); err != nil {
		return fmt.Errorf("state of container %q: %w", d.ID, err)
	}
	return nil
}

func (d *Dir) has(name string) bool {
	var st unix.Stat_t
	return unix.Fstatat(d.FD(), name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil
}

// HasGate reports whether the socket of the gate exists.
func (d *Dir) HasGate() bool { return d.has(GateName) }

// RemoveGate removes the socket of the gate.
func (d *Dir) RemoveGate() { _ = unix.Unlinkat(d.FD(), GateName, 0) }

// Close unlocks the directory. It may be called more than once.
func (d *Dir) Close() {
	if d.fd >= 0 {
		unix.Close(d.fd)
		d.fd = -1
	}
}

// Load reads the record. Its error wraps [ErrNotExist] when the container was deleted meanwhile
// or its creation has hardly begun, and [ErrUnreadable] when the file is not a valid record.
func (d *Dir) Load() (*Record, error) {
	data, err := d.read(recordName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("container %q: %w", d.ID, ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("state of container %q: %w", d.ID, err)
	}
	var r Record
	if _, err := jsonpos.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("container %q: %w: %v", d.ID, ErrUnreadable, err)
	}
	if r.Runtime != runtimeName || r.ID != d.ID {
		return nil, fmt.Errorf("container %q: %w: it belongs to another runtime", d.ID, ErrUnreadable)
	}
	r.upgrade()
	return &r, nil
}

// Save replaces the record.
func (d *Dir) Save(r *Record) error {
	r.Runtime = runtimeName
	return d.write(recordName, jsonpos.Marshal(r, ""))
}

// SaveConfig keeps a copy of the configuration, because changes of the bundle after create do not
// affect the container (runtime.md#lifecycle).
func (d *Dir) SaveConfig(raw []byte) error { return d.write(configName, raw) }

// Config returns the copy of the configuration.
func (d *Dir) Config() ([]byte, error) {
	data, err := d.read(configName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("container %q: %w", d.ID, ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("configuration of container %q: %w", d.ID, err)
	}
	return data, nil
}

// maxFile is the size limit of a file in the directory, in bytes: a configuration may have this
// size.
const maxFile = 64 << 20

func (d *Dir) read(name string) ([]byte, error) {
	data, err := linux.Read(d.FD(), name, maxFile)
	var at *os.PathError
	if errors.As(err, &at) {
		at.Path = filepath.Join(d.Path, name)
	}
	return data, err
}

// write replaces a file in the directory atomically.
func (d *Dir) write(name string, data []byte) error {
	temporary := "." + name
	err := d.writeNew(temporary, data)
	if err == nil {
		err = unix.Renameat(d.FD(), temporary, d.FD(), name)
	}
	if err != nil {
		_ = unix.Unlinkat(d.FD(), temporary, 0)
		return fmt.Errorf("state of container %q: write %s: %w", d.ID, filepath.Join(d.Path, name), err)
	}
	return nil
}

func (d *Dir) writeNew(name string, data []byte) error {
	fd, err := unix.Openat(d.FD(), name, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			unix.Close(fd)
			return err
		}
		data = data[n:]
	}
	return unix.Close(fd)
}

// Remove deletes the directory. The record is removed last, so that a second delete finds
// everything that it needs.
func (d *Dir) Remove() error {
	names, err := d.names()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // removed already, but still open
		return fmt.Errorf("state of container %q: %w", d.ID, err)
	}
	for _, n := range names {
		if n == notifyName {
			if err := d.removeNotify(); err != nil {
				return err
			}
			continue
		}
		if n != recordName {
			if err := unix.Unlinkat(d.FD(), n, 0); err != nil && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("state of container %q: remove %s: %w", d.ID, filepath.Join(d.Path, n), err)
			}
		}
	}
	if err := unix.Unlinkat(d.FD(), recordName, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("state of container %q: %w", d.ID, err)
	}
	if err := unix.Rmdir(d.Path); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("state of container %q: remove %s: %w", d.ID, d.Path, err)
	}
	return nil
}

// names lists the files in the directory. It does without package os: that would make a buffer
// of 8 KiB, and a goroutine for finalizers, in each command that deletes something.
func (d *Dir) names() (names []string, err error) {
	if _, err := unix.Seek(d.fd, 0, io.SeekStart); err != nil {
		return nil, os.NewSyscallError("lseek", err)
	}
	buf := make([]byte, 1024)
	for {
		n, err := unix.ReadDirent(d.fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, os.NewSyscallError("getdents", err)
		case n == 0:
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}
