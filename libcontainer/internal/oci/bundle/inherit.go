package bundle

import specs "github.com/opencontainers/runtime-spec/specs-go"

// Inherit returns a copy of an additional process in which attributes that are not set have the
// values of the container's first process, so that it gets the container's confinement by
// default. Command, terminal, user ids, environment and working directory are not inherited. Nor
// is noNewPrivileges: its type cannot tell false from unset.
func Inherit(p, first *specs.Process) *specs.Process {
	if first == nil {
		return p
	}
	full := *p
	if full.ApparmorProfile == "" {
		full.ApparmorProfile = first.ApparmorProfile
	}
	if full.SelinuxLabel == "" {
		full.SelinuxLabel = first.SelinuxLabel
	}
	if full.Capabilities == nil {
		full.Capabilities = first.Capabilities
	}
	if full.Rlimits == nil {
		full.Rlimits = first.Rlimits
	}
	if full.OOMScoreAdj == nil {
		full.OOMScoreAdj = first.OOMScoreAdj
	}
	if full.Scheduler == nil {
		full.Scheduler = first.Scheduler
	}
	if full.IOPriority == nil {
		full.IOPriority = first.IOPriority
	}
	if full.ExecCPUAffinity == nil {
		full.ExecCPUAffinity = first.ExecCPUAffinity
	}
	if full.User.Umask == nil {
		full.User.Umask = first.User.Umask
	}
	return &full
}
