package libcontainer

import (
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci"
)

// passOnListening passes on the sockets of a service manager to the process (sd_listen_fds(3)),
// which is the first one of its pid namespace.
func passOnListening(p *specs.Process, o CreateOptions) {
	if p == nil || o.ListenFDs == 0 {
		return
	}
	p.Env = oci.Env(p.Env).With("LISTEN_FDS", strconv.Itoa(o.ListenFDs))
	p.Env = oci.Env(p.Env).With("LISTEN_PID", "1")
	if o.ListenFDNames != "" {
		p.Env = oci.Env(p.Env).With("LISTEN_FDNAMES", o.ListenFDNames)
	}
}
