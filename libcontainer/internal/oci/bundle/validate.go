package bundle

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/oci"
)

// maxID is the largest user or group id; 2³²−1 means "no id" to the kernel.
const maxID = 1<<32 - 2

// Validate checks a configuration. Problems prevent creating a container from it, warnings do
// not. It looks at the configuration only, not at the host.
func Validate(s *specs.Spec) (problems, warnings []Problem) {
	v := &validator{spec: s}
	v.version()
	v.root()
	v.namespaces()
	v.names()
	v.mounts()
	if s.Process != nil {
		v.process(s.Process)
	}
	v.hooks()
	v.annotations()
	v.foreign()
	if s.Linux != nil {
		v.userNamespace()
		v.devices()
		v.paths("linux.maskedPaths", s.Linux.MaskedPaths)
		v.paths("linux.readonlyPaths", s.Linux.ReadonlyPaths)
		v.propagation()
		v.cgroupsPath()
		v.resources()
		v.sysctl()
		v.timeOffsets()
		v.netDevices()
		v.intelRdt()
		if s.Linux.MemoryPolicy != nil {
			v.memoryPolicy(s.Linux.MemoryPolicy)
		}
		if s.Linux.Personality != nil {
			v.personality(s.Linux.Personality)
		}
		if s.Linux.Seccomp != nil {
			v.seccomp(s.Linux.Seccomp)
		}
	}
	v.labels()
	v.contradictions()
	return v.problems, v.warnings
}

// ValidateProcess checks an additional process of an existing container.
func ValidateProcess(p *specs.Process) (problems, warnings []Problem) {
	v := &validator{spec: &specs.Spec{Process: p}}
	v.process(p)
	v.labels()
	return v.problems, v.warnings
}

// ValidateResources checks the new limits of an existing container.
func ValidateResources(r *specs.LinuxResources) (problems []Problem) {
	v := &validator{spec: &specs.Spec{Linux: &specs.Linux{Resources: r}}}
	v.resources()
	return v.problems
}

type validator struct {
	spec     *specs.Spec
	problems []Problem
	warnings []Problem
}

// bad adds a problem whose text is complete, see [About].
func (v *validator) bad(property, format string, args ...any) {
	v.problems = append(v.problems, About(property, format, args...))
}

// badProperty adds a problem whose text continues the name of the property, see [Predicate].
func (v *validator) badProperty(property, format string, args ...any) {
	v.problems = append(v.problems, Predicate(property, format, args...))
}

// warn is bad for a warning.
func (v *validator) warn(property, format string, args ...any) {
	v.warnings = append(v.warnings, About(property, format, args...))
}

// warnProperty is badProperty for a warning.
func (v *validator) warnProperty(property, format string, args ...any) {
	v.warnings = append(v.warnings, Predicate(property, format, args...))
}

// version accepts all releases of major version 1 (spec.md: they are compatible).
func (v *validator) version() {
	switch ver := v.spec.Version; {
	case ver == "":
		v.badProperty("ociVersion", "is missing; it is required, the current version is %q", specs.Version)
	case !strings.HasPrefix(ver, "1.") || strings.Trim(ver, "0123456789.") != "" && !strings.ContainsAny(ver, "-+"):
		v.bad("ociVersion", "%q is not a version that this runtime knows (1.x)", ver)
	}
}

func (v *validator) root() {
	switch r := v.spec.Root; {
	case r == nil:
		v.badProperty("root", "is missing; it is required on Linux")
	case r.Path == "":
		v.badProperty("root.path", "is missing or empty")
	case strings.ContainsRune(r.Path, 0):
		v.badProperty("root.path", "has a NUL character in it")
	}
}

func (v *validator) namespaces() {
	l := v.spec.Linux
	if l == nil {
		l = &specs.Linux{}
	}
	seen := make(map[specs.LinuxNamespaceType]int)
	for i, ns := range l.Namespaces {
		p := fmt.Sprintf("linux.namespaces[%d]", i)
		if oci.NamespaceFlag(ns.Type) == 0 {
			v.bad(p+".type", "%q is not a namespace type", ns.Type)
			continue
		}
		if first, dup := seen[ns.Type]; dup {
			v.bad(p, "a second %q namespace; linux.namespaces[%d] is one already", ns.Type, first)
		}
		seen[ns.Type] = i
		if ns.Path != "" && !path.IsAbs(ns.Path) {
			v.bad(p+".path", "%q is not absolute", ns.Path)
		}
	}
	if _, ok := seen[specs.MountNamespace]; ok {
		return
	}
	// Without a mount namespace every mount would be made in the runtime's own, on the host. It
	// would be visible there, propagate to other namespaces, and stay when the container has
	// ended or the runtime was killed. And pivot_root(2) would change the root directory of the
	// host's processes.
	for _, need := range []struct {
		pointer string
		wanted  bool
	}{
		{"mounts", len(v.spec.Mounts) > 0},
		{"root.readonly", v.spec.Root != nil && v.spec.Root.Readonly},
		{"linux.maskedPaths", len(l.MaskedPaths) > 0},
		{"linux.readonlyPaths", len(l.ReadonlyPaths) > 0},
	} {
		if need.wanted {
			v.badProperty(need.pointer, "needs a mount namespace in linux.namespaces: without one it would change the mounts of the host")
		}
	}
}

func (v *validator) names() {
	for _, property := range []struct{ pointer, name string }{{"hostname", v.spec.Hostname}, {"domainname", v.spec.Domainname}} {
		pointer, name := property.pointer, property.name
		if name == "" {
			continue
		}
		if oci.Namespace(v.spec, specs.UTSNamespace) == nil {
			v.badProperty(pointer, "needs a uts namespace in linux.namespaces")
		}
		if len(name) > 64 {
			v.bad(pointer, "%q has more than 64 characters", name)
		}
		if strings.ContainsRune(name, 0) {
			v.badProperty(pointer, "has a NUL character in it")
		}
	}
}

func (v *validator) process(p *specs.Process) {
	if len(p.Args) == 0 {
		v.badProperty("process.args", "is missing or empty; it must hold the command")
	} else if p.Args[0] == "" {
		v.badProperty("process.args[0]", "is empty; it must be the command")
	}
	for i, a := range p.Args {
		v.argument("process.args[%d]", i, a)
	}
	for i, e := range p.Env {
		v.argument("process.env[%d]", i, e)
		if strings.HasPrefix(e, "PATH=") && len(e) >= maxArgument && len(p.Args) > 0 && !strings.Contains(p.Args[0], "/") {
			// An image must not choose the size of the program, which looks into each directory
			// of PATH.
			v.bad(fmt.Sprintf("process.env[%d]", i), "PATH has %d bytes: argument list too long", len(e)-len("PATH="))
		}
	}
	switch {
	case p.Cwd == "":
		v.badProperty("process.cwd", "is missing or empty; it must be an absolute path")
	case !path.IsAbs(p.Cwd):
		v.bad("process.cwd", "%q is not absolute", p.Cwd)
	case strings.ContainsRune(p.Cwd, 0):
		v.badProperty("process.cwd", "has a NUL character in it")
	}
	v.pathLength("process.cwd", p.Cwd)
	v.id("process.user.uid", p.User.UID)
	v.id("process.user.gid", p.User.GID)
	for i, g := range p.User.AdditionalGids {
		v.id(fmt.Sprintf("process.user.additionalGids[%d]", i), g)
	}
	if u := p.User.Umask; u != nil && *u > 0o777 {
		v.bad("process.user.umask", "%#o is not a umask (0 to 0777)", *u)
	}
	v.rlimits(p.Rlimits)
	v.capabilities(p.Capabilities)
	if p.Scheduler != nil {
		v.scheduler(p.Scheduler)
	}
	if p.IOPriority != nil {
		v.ioPriority(p.IOPriority)
	}
	if p.ExecCPUAffinity != nil {
		v.execAffinity(p.ExecCPUAffinity)
	}
	if a := p.OOMScoreAdj; a != nil && (*a < -1000 || *a > 1000) {
		v.bad("process.oomScoreAdj", "%d is out of range (-1000 to 1000)", *a)
	}
	if c := p.ConsoleSize; c != nil && (c.Height > 65535 || c.Width > 65535) {
		v.bad("process.consoleSize", "%d×%d is larger than a terminal can be", c.Width, c.Height)
	}
}

// maxArgument is the maximum size of an argument or a variable in bytes, with its NUL
// (execve(2)).
const maxArgument = 128 << 10

// argument checks a string that is passed to execve.
func (v *validator) argument(pointer string, index int, value string) {
	switch {
	case strings.ContainsRune(value, 0):
		v.badProperty(fmt.Sprintf(pointer, index), "has a NUL character in it")
	case len(value) >= maxArgument:
		v.warnProperty(fmt.Sprintf(pointer, index), "has %d bytes, and the kernel takes at most %d: the process cannot be started", len(value), maxArgument-1)
	}
}

// hookKinds are the kinds of hooks (config.md#posix-platform-hooks).
var hookKinds = []struct {
	name string
	of   func(*specs.Hooks) []specs.Hook
}{
	//lint:ignore SA1019 deprecated is not gone: engines still use prestart
	{"prestart", func(h *specs.Hooks) []specs.Hook { return h.Prestart }},
	{"createRuntime", func(h *specs.Hooks) []specs.Hook { return h.CreateRuntime }},
	{"createContainer", func(h *specs.Hooks) []specs.Hook { return h.CreateContainer }},
	{"startContainer", func(h *specs.Hooks) []specs.Hook { return h.StartContainer }},
	{"poststart", func(h *specs.Hooks) []specs.Hook { return h.Poststart }},
	{"poststop", func(h *specs.Hooks) []specs.Hook { return h.Poststop }},
}

// hooks checks what can be checked without running the hooks. Some of their paths are meaningful
// only in the container.
func (v *validator) hooks() {
	h := v.spec.Hooks
	if h == nil {
		return
	}
	for _, kind := range hookKinds {
		for i, hook := range kind.of(h) {
			p := fmt.Sprintf("hooks.%s[%d]", kind.name, i)
			if !path.IsAbs(hook.Path) {
				v.bad(p+".path", "%q is not absolute", hook.Path)
			}
			if t := hook.Timeout; t != nil && *t <= 0 {
				v.bad(p+".timeout", "%d is not a number of seconds greater than zero", *t)
			}
			if strings.ContainsRune(hook.Path+strings.Join(hook.Args, "")+strings.Join(hook.Env, ""), 0) {
				v.badProperty(p, "has a NUL character in it")
			}
		}
	}
}

func (v *validator) id(pointer string, id uint32) {
	if id > maxID {
		v.bad(pointer, "%d is out of range (0 to %d)", id, uint32(maxID))
	}
}

func (v *validator) rlimits(limits []specs.POSIXRlimit) {
	seen := make(map[string]int)
	for i, l := range limits {
		p := fmt.Sprintf("process.rlimits[%d]", i)
		if _, ok := Rlimit(l.Type); !ok {
			v.bad(p+".type", "%q is not a resource limit of Linux", l.Type)
			continue
		}
		if first, dup := seen[l.Type]; dup {
			v.bad(p+".type", "%s is limited already by process.rlimits[%d]", l.Type, first)
		}
		seen[l.Type] = i
		if l.Soft > l.Hard {
			v.bad(p, "the soft limit %d of %s is above the hard limit %d", l.Soft, l.Type, l.Hard)
		}
	}
}

func (v *validator) capabilities(c *specs.LinuxCapabilities) {
	if c == nil {
		return
	}
	for _, set := range []struct {
		name string
		caps []string
	}{
		{"bounding", c.Bounding}, {"effective", c.Effective}, {"inheritable", c.Inheritable},
		{"permitted", c.Permitted}, {"ambient", c.Ambient},
	} {
		for i, name := range set.caps {
			if _, ok := Capability(name); !ok {
				// config.md: names that cannot be mapped should be logged and ignored.
				v.warn(fmt.Sprintf("process.capabilities.%s[%d]", set.name, i), "%q is not a capability that this runtime knows; it is ignored", name)
			}
		}
	}
}

func (v *validator) devices() {
	for i, d := range v.spec.Linux.Devices {
		p := fmt.Sprintf("linux.devices[%d]", i)
		switch d.Type {
		case "c", "b", "u", "p":
		case "":
			v.badProperty(p+".type", "is missing; it is one of c, b, u and p")
		default:
			v.bad(p+".type", "%q is not one of c, b, u and p", d.Type)
		}
		if !path.IsAbs(d.Path) || path.Clean(d.Path) == "/" {
			v.bad(p+".path", "%q is not the absolute path of a device", d.Path)
		}
		v.pathLength(p+".path", d.Path)
		if d.Type != "p" && (d.Major < 0 || d.Minor < 0 || d.Major > 1<<12-1 || d.Minor > 1<<20-1) {
			v.bad(p, "%d:%d is not a device number", d.Major, d.Minor)
		}
		if d.FileMode != nil {
			v.deviceMode(p+".fileMode", d.Type, uint32(*d.FileMode))
		}
		if d.UID != nil {
			v.id(p+".uid", *d.UID)
		}
		if d.GID != nil {
			v.id(p+".gid", *d.GID)
		}
	}
}

// deviceMode checks the mode of a device. Podman passes st_mode of stat(2), which includes the
// file type, so the type has to match.
func (v *validator) deviceMode(pointer, deviceType string, mode uint32) {
	var want uint32
	switch deviceType {
	case "c", "u":
		want = unix.S_IFCHR
	case "b":
		want = unix.S_IFBLK
	case "p":
		want = unix.S_IFIFO
	}
	switch have := mode & unix.S_IFMT; {
	case mode&^(unix.S_IFMT|0o7777) != 0:
		v.bad(pointer, "%#o has more than permission bits", mode)
	case have != 0 && want != 0 && have != want:
		v.bad(pointer, "%#o is the mode of another type of file than %q", mode, deviceType)
	}
}

// pathLength refuses a path in the container that is too long for the kernel. Paths can come from
// images, and each component costs work and ops of the init program.
func (v *validator) pathLength(pointer, p string) {
	if len(p) >= unix.PathMax {
		v.badProperty(pointer, "is a path of %d bytes, longer than the %d that the kernel takes", len(p), unix.PathMax-1)
	}
}

func (v *validator) paths(pointer string, paths []string) {
	for i, p := range paths {
		v.pathLength(fmt.Sprintf("%s[%d]", pointer, i), p)
		if !path.IsAbs(p) || strings.ContainsRune(p, 0) {
			v.bad(fmt.Sprintf("%s[%d]", pointer, i), "%q is not an absolute path", p)
		}
	}
}

func (v *validator) propagation() {
	if p := v.spec.Linux.RootfsPropagation; p != "" {
		if !propagations.Has(p) {
			v.bad("linux.rootfsPropagation", "%q is not a mount propagation", p)
		}
	}
}

// cgroupsPath checks what is invalid for every cgroup driver.
func (v *validator) cgroupsPath() {
	p := v.spec.Linux.CgroupsPath
	switch {
	case p == "":
	case strings.ContainsRune(p, 0):
		v.badProperty("linux.cgroupsPath", "has a NUL character in it")
	case slices.Contains(strings.Split(p, "/"), ".."):
		v.bad("linux.cgroupsPath", "%q has \"..\" in it", p)
	case path.Clean("/"+p) == "/":
		v.bad("linux.cgroupsPath", "%q is the root; it must be a cgroup below it", p)
	case slices.ContainsFunc(strings.Split(p, "/"), func(name string) bool { return len(name) > unix.NAME_MAX }):
		v.badProperty("linux.cgroupsPath", "has a name of more than %d bytes, which no directory can have", unix.NAME_MAX)
	}
	v.pathLength("linux.cgroupsPath", p)
}

func (v *validator) resources() {
	r := v.spec.Linux.Resources
	if r == nil {
		return
	}
	for i, d := range r.Devices {
		p := fmt.Sprintf("linux.resources.devices[%d]", i)
		switch d.Type {
		case "", "a", "b", "c":
		default:
			v.bad(p+".type", "%q is not one of a, b and c", d.Type)
		}
		if strings.Trim(d.Access, "rwm") != "" {
			v.bad(p+".access", "%q has other letters than r, w and m", d.Access)
		}
		for _, n := range []struct {
			name   string
			number *int64
		}{{".major", d.Major}, {".minor", d.Minor}} {
			// The kernel compares 32 bits: a larger number would match another device.
			if n.number != nil && (*n.number < -1 || *n.number > math.MaxUint32) {
				v.bad(p+n.name, "%d is neither a device number nor -1, which stands for all", *n.number)
			}
		}
	}
	for i, h := range r.HugepageLimits {
		if h.Pagesize == "" {
			v.badProperty(fmt.Sprintf("linux.resources.hugepageLimits[%d].pageSize", i), "is missing or empty; it is the size of the pages, like 2MB")
		}
	}
	if p := r.Pids; p != nil && p.Limit != nil && *p.Limit < -1 {
		v.bad("linux.resources.pids.limit", "%d is neither a number of processes nor -1", *p.Limit)
	}
}
