package linux

import (
	"sync"

	"golang.org/x/sys/unix"
)

// InUserNamespace reports whether this process is outside of the initial user namespace: user 0
// may then not be the superuser of the host. The result is cached, so the process must not change
// its namespaces.
func InUserNamespace() bool {
	userNamespace.once.Do(func() {
		// The initial user namespace always has the same inode number.
		const first = 0xeffffffd
		var st unix.Stat_t
		//allow:path the host's /proc
		userNamespace.other = unix.Stat("/proc/self/ns/user", &st) == nil && st.Ino != first
	})
	return userNamespace.other
}

// userNamespace is the cached result. (A function of sync.OnceValue is made in every command.)
var userNamespace struct {
	once  sync.Once
	other bool
}
