package hostfs

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Owner is who makes something, as far as permissions and ownership are concerned.
type Owner struct{ UID, GID int }

// Self is the owner that this process is.
func Self() Owner { return Owner{os.Geteuid(), os.Getegid()} }

// do calls a function with the owner's ids for file systems. They come without
// privileges over files, unless those of this process are kept.
//
// These ids are those of a thread. It gets back its own, and has to live on: an init may
// have it as its parent.
func (o Owner) do(privileged bool, f func() error) (err error) {
	if o == Self() {
		return f()
	}
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&header, &caps[0]); err != nil {
		runtime.UnlockOSThread()
		return os.NewSyscallError("capget", err)
	}
	defer func() {
		back := Self().become()
		if e := unix.Capset(&header, &caps[0]); back == nil {
			back = e
		}
		if back == nil {
			runtime.UnlockOSThread()
			return
		}
		// Nothing else may run with these ids: the thread stays locked.
		err = errors.Join(err, back)
	}()
	if err := o.become(); err != nil {
		return err
	}
	if privileged {
		// The change of the id has taken those over files out of the effective ones.
		if err := unix.Capset(&header, &caps[0]); err != nil {
			return os.NewSyscallError("capset", err)
		}
	}
	return f()
}

// become changes the ids of this thread.
func (o Owner) become() error {
	_, _ = unix.SetfsgidRetGid(o.GID)
	_, _ = unix.SetfsuidRetUid(o.UID)
	uid, _ := unix.SetfsuidRetUid(-1)
	gid, _ := unix.SetfsgidRetGid(-1)
	if uid != o.UID || gid != o.GID {
		return fmt.Errorf("act as user %d and group %d: %w", o.UID, o.GID, unix.EPERM)
	}
	return nil
}
