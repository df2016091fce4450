package bundle

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/oci"
)

// The specification's names for attributes of a process, and the kernel's numbers for them.
var (
	// schedulerPolicies are for sched_setattr(2).
	schedulerPolicies = oci.Table[specs.LinuxSchedulerPolicy, uint32]{
		{specs.SchedOther, unix.SCHED_NORMAL}, {specs.SchedFIFO, unix.SCHED_FIFO}, {specs.SchedRR, unix.SCHED_RR},
		{specs.SchedBatch, unix.SCHED_BATCH}, {specs.SchedISO, 4}, {specs.SchedIdle, unix.SCHED_IDLE}, {specs.SchedDeadline, unix.SCHED_DEADLINE},
	}
	schedulerFlags = oci.Table[specs.LinuxSchedulerFlag, uint64]{
		{specs.SchedFlagResetOnFork, unix.SCHED_FLAG_RESET_ON_FORK}, {specs.SchedFlagReclaim, unix.SCHED_FLAG_RECLAIM},
		{specs.SchedFlagDLOverrun, unix.SCHED_FLAG_DL_OVERRUN}, {specs.SchedFlagKeepPolicy, unix.SCHED_FLAG_KEEP_POLICY},
		{specs.SchedFlagKeepParams, unix.SCHED_FLAG_KEEP_PARAMS}, {specs.SchedFlagUtilClampMin, unix.SCHED_FLAG_UTIL_CLAMP_MIN},
		{specs.SchedFlagUtilClampMax, unix.SCHED_FLAG_UTIL_CLAMP_MAX},
	}
	// ioPriorityClasses are for ioprio_set(2).
	ioPriorityClasses = oci.Table[specs.IOPriorityClass, int]{
		{specs.IOPRIO_CLASS_RT, 1}, {specs.IOPRIO_CLASS_BE, 2}, {specs.IOPRIO_CLASS_IDLE, 3},
	}
	// memoryModes and memoryFlags are for set_mempolicy(2).
	memoryModes = oci.Table[specs.MemoryPolicyModeType, uint32]{
		{specs.MpolDefault, 0}, {specs.MpolPreferred, 1}, {specs.MpolBind, 2}, {specs.MpolInterleave, 3}, {specs.MpolLocal, 4},
		{specs.MpolPreferredMany, 5}, {specs.MpolWeightedInterleave, 6},
	}
	memoryFlags = oci.Table[specs.MemoryPolicyFlagType, uint32]{
		{specs.MpolFStaticNodes, 1 << 15}, {specs.MpolFRelativeNodes, 1 << 14}, {specs.MpolFNumaBalancing, 1 << 13},
	}
	// personalityDomains are for personality(2).
	personalityDomains = oci.Table[specs.LinuxPersonalityDomain, uint64]{{specs.PerLinux, 0}, {specs.PerLinux32, 0x0008}}
)

// oneOf checks a property whose value has to be a name in a table.
func oneOf[K ~string, V any](v *validator, pointer string, value K, table oci.Table[K, V]) {
	if !table.Has(value) {
		v.bad(pointer, "%q is not one of %s", value, table)
	}
}

// SchedAttr returns process.scheduler as the argument of sched_setattr(2).
func SchedAttr(s *specs.Scheduler) unix.SchedAttr {
	a := unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: schedulerPolicies.Of(s.Policy), Nice: s.Nice, Priority: uint32(s.Priority),
		Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period,
	}
	for _, f := range s.Flags {
		a.Flags |= schedulerFlags.Of(f)
	}
	return a
}

// IOPriority returns process.ioPriority as the argument of ioprio_set(2).
func IOPriority(p *specs.LinuxIOPriority) int {
	const classShift = 13
	return ioPriorityClasses.Of(p.Class)<<classShift | p.Priority
}

// MemoryPolicy returns linux.memoryPolicy as the arguments of set_mempolicy(2): the mode with its
// flags, and the nodes as a bit mask. The policy has to be valid.
func MemoryPolicy(p *specs.LinuxMemoryPolicy) (mode uint32, nodes []uint64) {
	mode = memoryModes.Of(p.Mode)
	for _, f := range p.Flags {
		mode |= memoryFlags.Of(f)
	}
	nodes, _ = oci.ParseList(p.Nodes)
	return mode, nodes
}

// Personality is the domain of linux.personality as the argument of personality(2).
func Personality(p *specs.LinuxPersonality) uint64 { return personalityDomains.Of(p.Domain) }

func (v *validator) scheduler(s *specs.Scheduler) {
	const p = "process.scheduler"
	oneOf(v, p+".policy", s.Policy, schedulerPolicies)
	for i, f := range s.Flags {
		oneOf(v, fmt.Sprintf("%s.flags[%d]", p, i), f, schedulerFlags)
	}
	if s.Nice < -20 || s.Nice > 19 {
		v.bad(p+".nice", "%d is out of range (-20 to 19)", s.Nice)
	}
	realtime := s.Policy == specs.SchedFIFO || s.Policy == specs.SchedRR
	if s.Priority != 0 && !realtime {
		v.badProperty(p+".priority", "is only for SCHED_FIFO and SCHED_RR")
	}
	if realtime && (s.Priority < 1 || s.Priority > 99) {
		v.bad(p+".priority", "%d is out of range for %s (1 to 99)", s.Priority, s.Policy)
	}
	if s.Policy != specs.SchedDeadline && s.Runtime|s.Deadline|s.Period != 0 {
		v.bad(p, "runtime, deadline and period are only for SCHED_DEADLINE")
	}
}

func (v *validator) ioPriority(p *specs.LinuxIOPriority) {
	oneOf(v, "process.ioPriority.class", p.Class, ioPriorityClasses)
	if p.Priority < 0 || p.Priority > 7 {
		v.bad("process.ioPriority.priority", "%d is out of range (0 to 7)", p.Priority)
	}
}

func (v *validator) execAffinity(a *specs.CPUAffinity) {
	for _, property := range []struct{ name, list string }{{"initial", a.Initial}, {"final", a.Final}} {
		if _, err := oci.ParseList(property.list); err != nil {
			v.bad("process.execCPUAffinity."+property.name, "%v", err)
		}
	}
}

func (v *validator) memoryPolicy(p *specs.LinuxMemoryPolicy) {
	const pointer = "linux.memoryPolicy"
	oneOf(v, pointer+".mode", p.Mode, memoryModes)
	for i, f := range p.Flags {
		oneOf(v, fmt.Sprintf("%s.flags[%d]", pointer, i), f, memoryFlags)
	}
	nodes, err := oci.ParseList(p.Nodes)
	switch {
	case err != nil:
		v.bad(pointer+".nodes", "%v", err)
	case len(nodes) > 0 && (p.Mode == specs.MpolDefault || p.Mode == specs.MpolLocal):
		v.bad(pointer+".nodes", "%s takes no nodes", p.Mode)
	case len(nodes) == 0 && (p.Mode == specs.MpolBind || p.Mode == specs.MpolInterleave || p.Mode == specs.MpolWeightedInterleave || p.Mode == specs.MpolPreferredMany):
		v.bad(pointer+".nodes", "%s needs at least one node", p.Mode)
	}
}

func (v *validator) personality(p *specs.LinuxPersonality) {
	oneOf(v, "linux.personality.domain", p.Domain, personalityDomains)
	if len(p.Flags) > 0 {
		v.bad("linux.personality.flags", "there are no flags yet that could be given")
	}
}
