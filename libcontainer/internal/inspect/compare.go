package inspect

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// differ adds a difference.
func (r *Report) differ(property, configured, now string) {
	r.Differences = append(r.Differences, Difference{Property: property, Configured: configured, Now: now})
}

// compare compares the configuration with the current state. They differ if the container was
// updated, or if its processes have changed themselves.
func (r *Report) compare(s Subject) {
	started := s.Status != specs.StateCreating && s.Status != specs.StateCreated
	if p := s.Spec.Process; p != nil && started {
		r.compareProcess(p, s.Spec)
	}
	if s.Status == specs.StateCreating {
		return
	}
	r.compareNamespaces(s)
	r.compareMounts(s.Spec)
	if s.Spec.Linux != nil && s.Spec.Linux.Resources != nil {
		r.compareLimits(s.Spec.Linux.Resources)
	}
}

// compareProcess compares the first process with its configuration.
func (r *Report) compareProcess(p *specs.Process, s *specs.Spec) {
	if p.Capabilities != nil {
		for _, set := range []struct {
			name  string
			names []string
		}{
			{"bounding", p.Capabilities.Bounding}, {"effective", p.Capabilities.Effective}, {"permitted", p.Capabilities.Permitted},
			{"inheritable", p.Capabilities.Inheritable}, {"ambient", p.Capabilities.Ambient},
		} {
			want := bundle.CapabilityMask(set.names)
			have := bundle.CapabilityMask(r.Process.Capabilities[set.name])
			if want != have {
				r.differ("process.capabilities."+set.name, nothingIfEmpty(bundle.CapabilityNames(want)), nothingIfEmpty(bundle.CapabilityNames(have)))
			}
		}
	}
	if p.NoNewPrivileges && !r.Process.NoNewPrivs {
		r.differ("process.noNewPrivileges", "true", "false")
	}
	if p.OOMScoreAdj != nil && *p.OOMScoreAdj != r.Process.OOMScoreAdj {
		r.differ("process.oomScoreAdj", strconv.Itoa(*p.OOMScoreAdj), strconv.Itoa(r.Process.OOMScoreAdj))
	}
	uid, gid := uint32(p.User.UID), uint32(p.User.GID)
	if l := s.Linux; l != nil && oci.HasNew(s, specs.UserNamespace) {
		uid, gid = toHost(l.UIDMappings, uid), toHost(l.GIDMappings, gid)
	}
	joins := oci.Namespace(s, specs.UserNamespace) != nil && !oci.HasNew(s, specs.UserNamespace)
	if !joins && len(r.Process.UIDs) > 1 && uint32(r.Process.UIDs[1]) != uid {
		r.differ("process.user.uid", fmt.Sprint(uid), fmt.Sprint(r.Process.UIDs[1]))
	}
	if !joins && len(r.Process.GIDs) > 1 && uint32(r.Process.GIDs[1]) != gid {
		r.differ("process.user.gid", fmt.Sprint(gid), fmt.Sprint(r.Process.GIDs[1]))
	}
	if l := s.Linux; l != nil && l.Seccomp != nil && r.Seccomp.Mode != "filter" {
		r.differ("linux.seccomp", "filter", r.Seccomp.Mode)
	}
	if want := p.ApparmorProfile; want != "" {
		if have, _, _ := strings.Cut(r.Label, " ("); have != want {
			r.differ("process.apparmorProfile", want, nothingIfEmpty(have))
		}
	}
	if want := p.SelinuxLabel; want != "" && r.Label != want {
		r.differ("process.selinuxLabel", want, nothingIfEmpty(r.Label))
	}
}

func nothingIfEmpty(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// toHost maps an id to the one outside of a user namespace.
func toHost(m bundle.IDMap, id uint32) uint32 {
	if host, ok := m.ToHost(id); ok {
		return host
	}
	return id
}

// compareNamespaces finds new namespaces that the first process shares with the host.
func (r *Report) compareNamespaces(s Subject) {
	for _, n := range r.Namespaces {
		if oci.HasNew(s.Spec, n.Type) && slices.Contains(n.Shared, "host") {
			r.differ(fmt.Sprintf("linux.namespaces (%s)", n.Type), "new", "that of the host")
		}
	}
}

// compareMounts finds configured mounts and protections that do not exist.
func (r *Report) compareMounts(s *specs.Spec) {
	top := make(map[string]Mount)
	for _, m := range r.Mounts {
		top[m.Destination] = m // the last one covers the others
	}
	for i, m := range s.Mounts {
		property := fmt.Sprintf("mounts[%d]", i)
		at := path.Clean("/" + m.Destination)
		now, ok := top[at]
		if !ok {
			if !covered(at, s.Mounts[i+1:]) {
				r.differ(property, "a mount at "+at, "no mount there")
			}
			continue
		}
		if slices.Contains(m.Options, "ro") && !slices.Contains(m.Options, "rw") && isWritable(now) {
			r.differ(property+".options", "ro", now.Options)
		}
	}
	if s.Root != nil && s.Root.Readonly && isWritable(top["/"]) {
		r.differ("root.readonly", "true", top["/"].Options)
	}
	if s.Linux == nil {
		return
	}
	for i, p := range s.Linux.ReadonlyPaths {
		if now, ok := top[path.Clean(p)]; ok && isWritable(now) {
			r.differ(fmt.Sprintf("linux.readonlyPaths[%d]", i), "read-only", now.Options)
		}
	}
}

// covered reports whether a later mount, or a symbolic link, may hide a destination.
func covered(at string, later []specs.Mount) bool {
	for _, m := range later {
		if over := path.Clean("/" + m.Destination); over == at || strings.HasPrefix(at, over+"/") {
			return true
		}
	}
	return false
}

func isWritable(m Mount) bool { return slices.Contains(strings.Split(m.Options, ","), "rw") }

// compareLimits compares the limits whose files have the same number as the configuration.
func (r *Report) compareLimits(want *specs.LinuxResources) {
	now := func(names ...string) (string, bool) {
		for _, l := range r.Limits {
			if slices.Contains(names, path.Base(l.File)) {
				return l.Value, true
			}
		}
		return "", false
	}
	check := func(property string, limit *int64, unlimited string, names ...string) {
		value, ok := now(names...)
		if limit == nil || *limit == 0 || !ok {
			return
		}
		configured := strconv.FormatInt(*limit, 10)
		if *limit < 0 {
			configured = unlimited
		}
		if value != configured {
			r.differ("linux.resources."+property, configured, value)
		}
	}
	if m := want.Memory; m != nil && (m.Limit == nil || *m.Limit > 0) {
		var pages *int64
		if m.Limit != nil {
			const page = 4096
			rounded := *m.Limit / page * page
			pages = &rounded
		}
		check("memory.limit", pages, "max", "memory.max", "memory.limit_in_bytes")
	}
	if want.Pids != nil {
		check("pids.limit", want.Pids.Limit, "max", "pids.max")
	}
	if c := want.CPU; c != nil && c.Quota != nil && *c.Quota > 0 {
		quota := *c.Quota
		if value, ok := now("cpu.max"); ok {
			if have, _, _ := strings.Cut(value, " "); have != strconv.FormatInt(quota, 10) {
				r.differ("linux.resources.cpu.quota", strconv.FormatInt(quota, 10), have)
			}
		} else {
			check("cpu.quota", c.Quota, "-1", "cpu.cfs_quota_us")
		}
	}
}
