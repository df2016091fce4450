package libcontainer

import (
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// passOnListening tells the process about the sockets that it inherits from a service
// manager (sd_listen_fds(3)). It is the first of its pid namespace.
func passOnListening(p *specs.Process, o CreateOptions) {
	if p == nil || o.ListenFDs == 0 {
		return
	}
	setEnv(p, "LISTEN_FDS", strconv.Itoa(o.ListenFDs))
	setEnv(p, "LISTEN_PID", "1")
	if o.ListenFDNames != "" {
		setEnv(p, "LISTEN_FDNAMES", o.ListenFDNames)
	}
}

// setEnv sets a variable in the place of one with the same name.
func setEnv(p *specs.Process, name, value string) {
	p.Env = append(slices.DeleteFunc(slices.Clone(p.Env), func(e string) bool {
		return strings.HasPrefix(e, name+"=")
	}), name+"="+value)
}
