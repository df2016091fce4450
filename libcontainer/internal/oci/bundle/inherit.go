package bundle

import specs "github.com/opencontainers/runtime-spec/specs-go"

// Inherit is a further process with what it does not say itself taken from the first process
// of its container: whoever asks for nothing gets what the container is confined to, and how
// it is treated. Command, terminal, user, environment and working directory are its own, and
// so is noNewPrivileges, of which the type cannot tell whether it was said.
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
