package linux

import (
	"sync"

	"golang.org/x/sys/unix"
)

// InUserNamespace reports whether this process is in another user namespace than the first
// one of the system: its user 0 need not be the superuser of the host. The process must
// not change its namespaces, so one look is enough.
func InUserNamespace() bool { return inUserNamespace() }

var inUserNamespace = sync.OnceValue(func() bool {
	// The first one always has the same inode number.
	const first = 0xeffffffd
	var st unix.Stat_t
	//allow:path the host's /proc
	return unix.Stat("/proc/self/ns/user", &st) == nil && st.Ino != first
})
