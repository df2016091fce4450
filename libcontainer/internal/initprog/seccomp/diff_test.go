//go:build libseccomp

// The comparison with libseccomp: make seccomp-diff. For each system call and many values of its
// arguments both filters must give the same answer, with these exceptions:
//
//   - If the default action does not let calls pass, our filter answers ENOSYS for calls that are
//     newer than all calls of the profile, so that programs fall back to an older call. So does
//     runc. This includes the number 0 on s390, which stands for calls that are unknown to the
//     kernel.
//   - A call whose number this version of libseccomp does not know has no rules there. The
//     profiles here leave such names out.
//   - If rules with conditions and different actions hold for the same call, libseccomp takes the
//     first one in a tree, whose order depends on the arguments and operators. Our filter takes
//     the first one of the profile. The test checks that each answer is that of a rule that holds.
//   - If several rules with conditions are for one call, libseccomp sometimes misses one that
//     holds: after one half of an argument has led into the branch of another rule, it does not
//     come back. Then our answer has to be that of the model (model_test.go). For calls with a
//     single rule there is no such exception.
//   - If a rule is for a call that an architecture does not have, libseccomp may forget to load
//     the number before it compares it with the first call that the architecture has. Its filter
//     is then not compared for that architecture; the test counts these.
//   - libseccomp refuses some profiles with two rules for one call ("file exists"). Our filter
//     accepts them.
package seccomp

import (
	"errors"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/seccomp/libseccomp"
)

var (
	profiles = flag.Int("profiles", 12000, "how many random profiles are compared")
	seed     = flag.Uint64("seed", 1, "of the random profiles")
)

// groups are the architectures that one filter of libseccomp can have.
func groups() (little, big []specs.Arch) {
	for i := range arches {
		switch a := &arches[i]; {
		case !libseccomp.Knows(a.name):
		case a.bigEndian:
			big = append(big, a.name)
		default:
			little = append(little, a.name)
		}
	}
	return little, big
}

// knownTo leaves out the calls whose number one of the two does not know.
func knownTo(p *specs.LinuxSeccomp) *specs.LinuxSeccomp {
	q := *p
	q.Syscalls = nil
	for _, s := range p.Syscalls {
		var names []string
		for _, name := range s.Names {
			// A few of libseccomp's numbers for calls that this machine does not have stand for
			// two calls.
			same := libseccomp.Name(specs.ArchX86_64, libseccomp.Resolve(specs.ArchX86_64, name)) == name
			for _, a := range p.Architectures {
				theirs, ours := libseccomp.Resolve(a, name), number(archOf(a), name)
				// Calls that also go through another one have a negative number there.
				muxed := theirs < 0 && theirs != -1 && archOf(a).muxes
				same = same && (max(theirs, -1) == ours || muxed)
			}
			if same {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			s.Names = names
			q.Syscalls = append(q.Syscalls, s)
		}
	}
	return &q
}

func TestSameTables(t *testing.T) {
	different := 0
	for i := range arches {
		a := &arches[i]
		if !libseccomp.Knows(a.name) {
			continue
		}
		for _, name := range callNames {
			theirs, ours := libseccomp.Resolve(a.name, name), number(a, name)
			switch {
			case theirs == ours, theirs == -1, theirs < 0 && ours < 0:
			case theirs < 0 && a.muxes:
			case a.name == specs.ArchARM && name == "sync_file_range2": // another name of arm_sync_file_range
			case a.name == specs.ArchX32 && name == "map_shadow_stack": // newer on x32
			case a.name == specs.ArchS390 && name == "memfd_secret": // not in the kernel's header
			default:
				different++
				t.Errorf("%s %s: %d here, %d in libseccomp", a.name, name, ours, theirs)
			}
		}
		for n := range 1000 {
			if name := libseccomp.Name(a.name, n+int(a.base)); name != "" && number(a, name) != n+int(a.base) && !(a.name == specs.ArchS390 && name == "memfd_secret") {
				t.Errorf("%s %d: libseccomp knows it as %s", a.name, n, name)
			}
		}
	}
}

// comparison compares the filters of a profile.
type comparison struct {
	t         *testing.T
	profile   *specs.LinuxSeccomp
	rules     *rules
	ours      *Filter
	theirs    []Instruction
	conflicts bool
	compared  int
	lost      int // answers for which libseccomp missed the rule
	broken    int // architectures for which it does not check the number
}

func compareWith(t *testing.T, p *specs.LinuxSeccomp, bigEndian, conflicts bool) *comparison {
	t.Helper()
	c := &comparison{t: t, profile: p, conflicts: conflicts}
	var err error
	if c.rules, err = newRules(p); err != nil {
		t.Fatal(err)
	}
	// This filter may be larger than the kernel allows: it has more architectures than any
	// machine.
	c.ours = &Filter{Program: assemble(c.rules)}
	c.theirs, err = libseccomp.Compile(p, bigEndian)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *comparison) run(r *rand.Rand) {
	for i := range c.rules.sections {
		s := &c.rules.sections[i]
		if !slices.Contains(c.profile.Architectures, s.arch.name) {
			continue // the native architecture, which Compile adds
		}
		if !c.loadsNumber(s.arch.audit) {
			c.broken++
			continue
		}
		for n := range uint32(slots + 200) {
			c.number(r, s, s.arch.base+n)
		}
		for n := range uint32(16) {
			c.number(r, s, privateBase+n)
			c.number(r, s, r.Uint32())
		}
		for _, n := range []uint32{x32Bit - 1, x32Bit, x32Bit + 1, 1<<31 - 1, 1 << 31, 1<<32 - 2, 1<<32 - 1} {
			c.number(r, s, n)
		}
	}
	// An architecture that is not in the profile.
	call := Call{Arch: 0x12345678 | uint32(r.IntN(2))<<30}
	ours, _ := run(c.ours.Program, call)
	theirs, ok := run(c.theirs, call)
	if !ok || ours != theirs {
		c.t.Fatalf("unknown architecture: %#x here, %#x in libseccomp", ours, theirs)
	}
}

// loadsNumber reports whether libseccomp's filter for an architecture loads the number of the
// call before it compares it.
func (c *comparison) loadsNumber(audit uint32) bool {
	for i, at := range c.theirs {
		if at.Code != opJumpEqual || at.K != audit {
			continue
		}
		next := i + 1 + int(at.Jt)
		for c.theirs[next].Code == opJump {
			next += 1 + int(c.theirs[next].K)
		}
		first := c.theirs[next]
		return first.Code == opReturn || first.Code == opLoad && first.K == dataNumber
	}
	return true
}

// number compares the answers to one call with different arguments.
func (c *comparison) number(r *rand.Rand, s *section, n uint32) {
	if s.arch.audit == archOf(specs.ArchX86_64).audit {
		// Two architectures share the value, and the number decides between them. The native one
		// is in our filter in any case.
		name := specs.ArchX86_64
		if n >= x32Bit && n != ^uint32(0) && slices.Contains(c.profile.Architectures, specs.ArchX32) {
			name = specs.ArchX32
		}
		if !slices.Contains(c.profile.Architectures, name) {
			return
		}
		for i := range c.rules.sections {
			if c.rules.sections[i].arch.name == name {
				s = &c.rules.sections[i]
			}
		}
	}
	var d *decision
	if slot := int(n - s.arch.base); n >= s.arch.base && slot < privateSlot {
		if at := s.at[slot]; at != byDefault {
			d = &c.rules.decisions[at]
		}
	}
	tries := 2
	if d != nil && len(d.rules) > 0 {
		tries = 40
	}
	for range tries {
		call := Call{Number: n, Arch: s.arch.audit, IP: r.Uint64()}
		for i := range call.Args {
			call.Args[i] = randomValue(r)
			if !s.arch.wide {
				call.Args[i] &= 1<<32 - 1
			}
		}
		if d != nil && len(d.rules) > 0 {
			// Values near the ones in the conditions.
			for _, cond := range d.rules[r.IntN(len(d.rules))].conditions {
				switch r.IntN(6) {
				case 0:
					call.Args[cond.index] = cond.value
				case 1:
					call.Args[cond.index] = cond.value + uint64(r.IntN(3)) - 1
				case 2:
					call.Args[cond.index] = cond.two&cond.value | r.Uint64()&^cond.value
				case 3:
					call.Args[cond.index] = cond.value ^ 1<<r.IntN(64)
				}
				if !s.arch.wide {
					call.Args[cond.index] &= 1<<32 - 1
				}
			}
		}
		c.compared++
		ours, ok := run(c.ours.Program, call)
		theirs, ok2 := run(c.theirs, call)
		if !ok || !ok2 {
			c.t.Fatalf("a filter does not run to its end: %v, %v", ok, ok2)
		}
		if ours == theirs || ours == enosys && c.newer(s, n) || c.conflicts && d != nil && c.holds(d, call, ours) && c.holds(d, call, theirs) {
			continue
		}
		if d != nil && len(d.rules) > 1 && ours == d.answer(call) {
			c.lost++
			continue
		}
		c.t.Fatalf("%s call %#x %#x: %#x here, %#x in libseccomp; decision %+v\n%s", s.arch.name, n, call.Args, ours, theirs, d, describe(c.profile))
	}
}

// newer reports whether a call is newer than all calls of the profile.
func (c *comparison) newer(s *section, n uint32) bool {
	switch c.profile.DefaultAction {
	case specs.ActAllow, specs.ActLog, specs.ActTrace:
		return false
	}
	if n == 0 && (s.arch.name == specs.ArchS390 || s.arch.name == specs.ArchS390X) {
		return true
	}
	last := -1
	for _, rule := range c.profile.Syscalls {
		for _, name := range rule.Names {
			// Calls that are private to ARM do not count; see section.
			if nr := number(s.arch, name); nr < privateBase || s.arch.name != specs.ArchARM {
				last = max(last, nr)
			}
		}
	}
	return last >= 0 && uint64(n) > uint64(last)
}

// holds reports whether a rule of the decision holds and gives the answer.
func (c *comparison) holds(d *decision, call Call, answer uint32) bool {
	return slices.ContainsFunc(d.rules, func(r rule) bool { return r.ret == answer && r.holds(d.arch, call) })
}

// TestSameForEngines compares the filters of the profiles that engines ship.
func TestSameForEngines(t *testing.T) {
	r := rand.New(rand.NewPCG(*seed, 3))
	for name, p := range engineProfiles(t) {
		c := compareWith(t, knownTo(p), false, true)
		if c == nil {
			t.Errorf("%s: libseccomp refuses it", name)
			continue
		}
		for range 3 {
			c.run(r)
		}
		t.Logf("%s: %d calls compared, libseccomp missed a rule in %d and the number of %d architectures", name, c.compared, c.lost, c.broken)
		if c.compared == 0 || c.broken > 0 || c.lost > c.compared/100 {
			t.Errorf("%s: too little was compared", name)
		}
	}
}

func TestSameAsLibseccomp(t *testing.T) {
	little, big := groups()
	t.Logf("libseccomp %s, %d architectures", libseccomp.Version(), len(little)+len(big))
	r := rand.New(rand.NewPCG(*seed, 2))
	compared, lost, broken, refused := 0, 0, 0, 0
	for _, p := range []*specs.LinuxSeccomp{
		dockerSized(little...), podmanSized(little...), containerdSized(little...),
		dockerSized(specs.ArchX86_64), podmanSized(specs.ArchX86_64, specs.ArchX86, specs.ArchX32), containerdSized(specs.ArchAARCH64, specs.ArchARM),
		{DefaultAction: specs.ActKillProcess, Architectures: []specs.Arch{specs.ArchX32}},
		{DefaultAction: specs.ActAllow, Architectures: little},
	} {
		c := compareWith(t, knownTo(p), false, true)
		c.run(r)
		compared, lost, broken = compared+c.compared, lost+c.lost, broken+c.broken
	}
	for _, p := range []*specs.LinuxSeccomp{dockerSized(big...), podmanSized(big...), containerdSized(big...)} {
		c := compareWith(t, knownTo(p), true, true)
		c.run(r)
		compared, lost, broken = compared+c.compared, lost+c.lost, broken+c.broken
	}
	for n := range *profiles {
		bigEndian := n%4 == 3
		all := little
		if bigEndian {
			all = big
		}
		var some []specs.Arch
		for range 1 + r.IntN(3) {
			if a := all[r.IntN(len(all))]; !slices.Contains(some, a) {
				some = append(some, a)
			}
		}
		conflicts := n%5 == 4
		c := compareWith(t, knownTo(randomProfile(r, some, conflicts)), bigEndian, conflicts)
		if c == nil {
			refused++
			continue
		}
		c.run(r)
		compared, lost, broken = compared+c.compared, lost+c.lost, broken+c.broken
	}
	t.Logf("%d random profiles, %d calls compared, libseccomp missed a rule in %d and the number of %d architectures and refused %d profiles", *profiles, compared, lost, broken, refused)
	if refused > *profiles/20 || broken > *profiles/10 || lost > compared/100 {
		t.Error("too little was compared")
	}
}
