package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// CheckHost returns what this host, for this user, cannot do of what [New] has planned. It only
// looks. named reports whether the configuration names the cgroup.
func (m *Manager) CheckHost(r *specs.LinuxResources, named bool) (problems []bundle.Problem) {
	bad := func(pointer, format string, args ...any) {
		problems = append(problems, bundle.About(pointer, format, args...))
	}
	if m.Disabled() {
		return nil
	}
	if m.anyDir() == "" && len(m.saved.Paths) == 0 {
		bad("linux.cgroupsPath", "the host has no cgroups that a container could be put into (the cgroup driver \"disabled\" does without)")
		return problems
	}
	if m.scope == nil {
		for _, key := range slices.Sorted(maps.Keys(m.saved.Paths)) {
			if dir := m.saved.Paths[key]; !mayMake(dir, key == unifiedKey) {
				bad("linux.cgroupsPath", "this user may not make the cgroup %s", dir)
				break
			}
		}
	}
	if named {
		if err := m.checkUnused(); err != nil {
			bad("linux.cgroupsPath", "%v", err)
		}
	}
	seen := make(map[string]bool)
	for i := range m.plan.settings {
		s := &m.plan.settings[i]
		pointer := resourcesPointer + "." + s.pointer
		if s.needless || seen[pointer] {
			continue
		}
		if why := m.unavailable(s); why != "" {
			seen[pointer] = true
			bad(pointer, "%s", why)
		}
	}
	if !m.saved.Unified && !m.rootless && m.saved.Paths["devices"] == "" {
		bad(resourcesPointer+".devices", "this host has no cgroup controller devices, so the container could use all devices")
	}
	if r == nil {
		return problems
	}
	if r.BlockIO != nil {
		problems = append(problems, missingDisks(r.BlockIO)...)
	}
	for i, h := range r.HugepageLimits {
		if pointer := fmt.Sprintf("%s.hugepageLimits[%d]", resourcesPointer, i); !seen[pointer] && !hasPages(h.Pagesize) {
			bad(pointer+".pageSize", "this host has no pages of %s", h.Pagesize)
		}
	}
	return problems
}

// hasPages reports whether the machine has huge pages of a size, such as 2MB.
func hasPages(size string) bool {
	const all = "/sys/kernel/mm/hugepages"
	var n uint64
	var unit rune
	if _, err := fmt.Sscanf(size, "%d%cB", &n, &unit); err != nil || unix.Access(all, unix.F_OK) != nil {
		return true
	}
	switch unit {
	case 'M':
		n <<= 10
	case 'G':
		n <<= 20
	}
	return unix.Access(fmt.Sprintf("%s/hugepages-%dkB", all, n), unix.F_OK) == nil
}

// unavailable returns why a setting cannot be made; it is empty when it can, or when that is
// unknown.
func (m *Manager) unavailable(s *setting) string {
	controller := s.controller
	if controller == unifiedKey {
		controller, _, _ = strings.Cut(s.files[0], ".")
		if controller == "cgroup" {
			return ""
		}
	}
	dir := m.dirOf(s.controller)
	if dir == "" {
		return "this host has no cgroup controller " + controller
	}
	if why := m.memoryInVain(s); why != "" {
		return why
	}
	above := existing(dir)
	if m.inUnified(s.controller) {
		has, err := linux.ReadFollow(filepath.Join(above, "cgroup.controllers"), 1<<12)
		if err == nil && !slices.Contains(strings.Fields(string(has)), unifiedName(controller)) {
			return fmt.Sprintf("the cgroup controller %s is not available in %s", unifiedName(controller), above)
		}
	}
	if why := m.outside(s, above); why != "" {
		return why
	}
	if dir := m.exampleOf(above, controller); dir != "" && !slices.ContainsFunc(s.files, func(f string) bool { return unix.Access(filepath.Join(dir, f), unix.F_OK) == nil }) {
		return fmt.Sprintf("this kernel has no %s (as in %s)", strings.Join(s.files, " and no "), dir)
	}
	return ""
}

// existing returns the directory or, if it does not exist, its nearest existing parent.
func existing(dir string) string {
	for dir != mountpoint && dir != hybrid && unix.Access(dir, unix.F_OK) != nil {
		dir = filepath.Dir(dir)
	}
	return dir
}

// exampleOf returns a cgroup with the same files as a new one below above; "" when there is none.
// The root has other files, so below the root it returns a child of the root.
func (m *Manager) exampleOf(above, controller string) string {
	if root := m.saved.Unified && above == mountpoint || !m.saved.Unified && filepath.Dir(above) == mountpoint; !root {
		return above
	}
	entries, err := os.ReadDir(above)
	if err != nil {
		return ""
	}
	for _, e := range entries {
		dir := filepath.Join(above, e.Name())
		if !e.IsDir() {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "cgroup.type")); errors.Is(err, os.ErrNotExist) {
			return dir // cgroup v1
		}
		if has, err := linux.ReadFollow(filepath.Join(dir, "cgroup.controllers"), 1<<12); err == nil && slices.Contains(strings.Fields(string(has)), unifiedName(controller)) {
			return dir
		}
	}
	return ""
}

// memoryInVain returns why no process can run with a memory limit, or why it cannot be set. On
// cgroup v1 the limit of memory and swap must not be below the memory limit; by default it is the
// maximum, but an existing cgroup may have a lower one.
func (m *Manager) memoryInVain(s *setting) string {
	n, err := strconv.ParseInt(s.value, 10, 64)
	if s.controller != "memory" || err != nil || n < 0 {
		return ""
	}
	switch s.files[0] {
	case "memory.limit_in_bytes", "memory.max":
		if n < int64(os.Getpagesize()) {
			return fmt.Sprintf("%d is less than a page of memory, so that no process could run", n)
		}
	case "memory.memsw.limit_in_bytes":
		limited := slices.ContainsFunc(m.plan.settings, func(s setting) bool { return s.files[0] == "memory.limit_in_bytes" && s.value != "-1" })
		if limit, ok := number(m.dirOf("memory"), "memory.limit_in_bytes"); !limited && (!ok || limit > n) {
			return "it takes memory.limit beside it: it is the sum of memory and swap, which cgroup v1 wants to be no less than memory"
		}
	}
	return ""
}

// outside returns which CPUs or memory nodes the parent cgroup does not have.
func (m *Manager) outside(s *setting, above string) string {
	if s.controller != "cpuset" {
		return ""
	}
	wanted, err := oci.ParseList(s.value)
	if err != nil {
		return ""
	}
	for _, file := range []string{s.files[0] + ".effective", strings.Replace(s.files[0], "cpuset.", "cpuset.effective_", 1)} {
		data, err := linux.ReadFollow(filepath.Join(above, file), 1<<16)
		if err != nil {
			continue
		}
		text := strings.TrimSpace(string(data))
		if has, err := oci.ParseList(text); err == nil && len(has) > 0 && !wanted.Within(has) {
			return fmt.Sprintf("%q has more than the cgroup %s, which has %q", s.value, above, text)
		}
		break
	}
	return ""
}

// missingDisks returns problems for block devices that the host does not have.
func missingDisks(b *specs.LinuxBlockIO) (problems []bundle.Problem) {
	check := func(pointer string, major, minor int64) {
		if unix.Access(fmt.Sprintf("/sys/dev/block/%d:%d", major, minor), unix.F_OK) != nil && unix.Access("/sys/dev/block", unix.F_OK) == nil {
			problems = append(problems, bundle.Problem{Property: resourcesPointer + ".blockIO." + pointer, Text: fmt.Sprintf("this host has no disk %d:%d", major, minor)})
		}
	}
	for i, d := range b.WeightDevice {
		check(fmt.Sprintf("weightDevice[%d]", i), d.Major, d.Minor)
	}
	for _, l := range []struct {
		name    string
		devices []specs.LinuxThrottleDevice
	}{
		{"throttleReadBpsDevice", b.ThrottleReadBpsDevice}, {"throttleWriteBpsDevice", b.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", b.ThrottleReadIOPSDevice}, {"throttleWriteIOPSDevice", b.ThrottleWriteIOPSDevice},
	} {
		for i, d := range l.devices {
			check(fmt.Sprintf("%s[%d]", l.name, i), d.Major, d.Minor)
		}
	}
	return problems
}
