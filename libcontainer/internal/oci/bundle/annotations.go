package bundle

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Annotation is an annotation that changes what this runtime does. No other code reads
// annotations, so this list is complete; `features` prints [AnnotationNames].
type Annotation int

// The annotations. Those that crun has, too, have the same name and meaning here.
const (
	// KeepOriginalGroups, unless it is "0", lets the process keep the additional groups of the
	// caller instead of process.user.additionalGids.
	KeepOriginalGroups Annotation = iota
	// MountContextType is the parameter by which a new file system gets linux.mountLabel: context
	// (the default), fscontext, defcontext or rootcontext (mount(8)).
	MountContextType
	// SystemdProperty is the prefix of annotations that set properties of the systemd unit.
	SystemdProperty

	annotations
)

var annotationNames = [annotations]string{
	KeepOriginalGroups: "run.oci.keep_original_groups",
	MountContextType:   "run.oci.mount_context_type",
	SystemdProperty:    "org.systemd.property.",
}

// AnnotationNames returns the annotations that this runtime acts on, sorted. A name that ends
// with a dot is a prefix.
func AnnotationNames() []string { return slices.Sorted(slices.Values(annotationNames[:])) }

// Of returns the value of the annotation in a configuration.
func (a Annotation) Of(s *specs.Spec) (value string, ok bool) {
	value, ok = s.Annotations[annotationNames[a]]
	return value, ok
}

// All returns the annotations of a configuration that have the prefix a, by the rest of their
// names.
func (a Annotation) All(s *specs.Spec) map[string]string {
	var all map[string]string
	for key, value := range s.Annotations {
		if rest, ok := strings.CutPrefix(key, annotationNames[a]); ok {
			if all == nil {
				all = make(map[string]string)
			}
			all[rest] = value
		}
	}
	return all
}

// Property returns the path of the annotation. rest is what follows when a is a prefix.
func (a Annotation) Property(rest string) string { return annotationPointer(annotationNames[a] + rest) }

func annotationPointer(key string) string { return fmt.Sprintf("annotations[%q]", key) }

// KeepsGroups reports whether the process keeps the additional groups of the caller.
func KeepsGroups(s *specs.Spec) bool {
	value, ok := KeepOriginalGroups.Of(s)
	return ok && value != "0"
}

// ContextType returns the parameter by which new file systems get linux.mountLabel.
func ContextType(s *specs.Spec) string {
	if value, ok := MountContextType.Of(s); ok {
		return value
	}
	return "context"
}

// foreignAnnotation is an annotation that other runtimes act on.
type foreignAnnotation struct {
	name string
	// instead says what has the same effect here, or which effect is missing.
	instead string
	// harmless is a value with which the annotation asks for nothing that is missing here,
	// besides "0" and the like.
	harmless string
}

// always stands for every value of a foreign annotation.
const always = "*"

// foreignAnnotations are annotations of crun and runc. Each one that would have changed the
// container there gives a warning.
var foreignAnnotations = []foreignAnnotation{
	{"run.oci.delegate-cgroup", "the process stays in the cgroup that has the limits", ""},
	{"run.oci.handler", "the process is executed by the kernel, not by a virtual machine or an interpreter", ""},
	{"run.oci.hooks.stderr", "what a hook prints is told in the error when it fails", ""},
	{"run.oci.hooks.stdout", "what a hook prints is told in the error when it fails", ""},
	{"run.oci.pidfd_receiver", "the pidfd socket of create", ""},
	{"run.oci.scheduler", "process.scheduler is for that", ""},
	{"run.oci.seccomp.plugins", "linux.seccomp.listenerPath names an agent", ""},
	{"run.oci.seccomp.receiver", "linux.seccomp.listenerPath names an agent", ""},
	{"run.oci.seccomp_bpf_data", "the filter is that of linux.seccomp", ""},
	{"run.oci.seccomp_fail_unknown_syscall", "rules for unknown system calls are left out", "0"},
	{"run.oci.systemd.force_cgroup_v1", "the mount is made as mounts says", ""},
	// Without a name crun makes no cgroup below the scope, either.
	{"run.oci.systemd.subgroup", "the process is in the cgroup of the scope itself", ""},
	{"run.oci.timens_offset", "linux.timeOffsets is for that", ""},
	{"org.opencontainers.runc.exec.isolated-cpu-affinity-transition", "process.execCPUAffinity is for that", ""},
	// They describe a runtime, and ask for nothing.
	{"org.opencontainers.runc.checkpoint.enabled", "", always},
	{"org.opencontainers.runc.commit", "", always},
	{"org.opencontainers.runc.version", "", always},
	{"run.oci.crun.checkpoint.enabled", "", always},
	{"run.oci.crun.commit", "", always},
	{"run.oci.crun.version", "", always},
	{"run.oci.crun.wasm", "", always},
}

// annotations checks the keys of annotations (config.md#annotations), and warns of those that
// other runtimes act on and this one does not.
func (v *validator) annotations() {
	if len(v.spec.Annotations) == 0 {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(v.spec.Annotations)) {
		if key == "" {
			v.badProperty(annotationPointer(key), "has no key; it must not be empty")
			continue
		}
		v.foreignAnnotation(key, v.spec.Annotations[key])
	}
	if p := v.spec.Process; p != nil && len(p.User.AdditionalGids) > 0 && KeepsGroups(v.spec) {
		v.warnProperty("process.user.additionalGids", "has no effect: annotations[%q] leaves the process the groups of the caller", annotationNames[KeepOriginalGroups])
	}
	if value := ContextType(v.spec); !IsSELinuxOption(value) {
		v.bad(MountContextType.Property(""), "%q is not one of context, fscontext, defcontext and rootcontext", value)
	}
}

func (v *validator) foreignAnnotation(key, value string) {
	if !strings.HasPrefix(key, "run.oci.") && !strings.HasPrefix(key, "org.opencontainers.runc.") || slices.Contains(annotationNames[:], key) {
		return
	}
	pointer := annotationPointer(key)
	i := slices.IndexFunc(foreignAnnotations, func(f foreignAnnotation) bool { return f.name == key })
	switch {
	case i < 0:
		v.warnProperty(pointer, "is not an annotation that this runtime knows, and has no effect")
	case foreignAnnotations[i].harmless == always, foreignAnnotations[i].harmless == value:
	default:
		v.warnProperty(pointer, "has no effect here: %s", foreignAnnotations[i].instead)
	}
}
