package hostfs

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Owner is the identity for permissions and ownership of files.
type Owner struct{ UID, GID int }

// Self returns the identity of this process.
func Self() Owner { return Owner{os.Geteuid(), os.Getegid()} }

// do calls a function with the owner's file system ids, without privileges over files unless
// privileged is set.
//
// These ids belong to a thread. do restores the thread's ids, and the thread must not end,
// because it may be the parent of an init.
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
		// No other goroutine may run with these ids: the thread stays locked.
		err = errors.Join(err, back)
	}()
	if err := o.become(); err != nil {
		return err
	}
	if privileged {
		// Changing the id has cleared the file capabilities from the effective set.
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
