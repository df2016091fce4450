package bundle

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/oci"
)

// MountAttr is a change of a mount's attributes, in the terms of mount_setattr(2).
type MountAttr struct {
	Set, Clear uint64
	// Recursive applies the change to the mounts below it as well.
	Recursive bool
	// When restricts the change to a mount that updates access times in this way. With Recursive,
	// the mount itself decides for those below it.
	When AccessTimes
}

// timesMask are the attributes that say when access times are updated.
const timesMask = atime | unix.MOUNT_ATTR_NODIRATIME

// Parts splits a change into a part that only adds restrictions, and parts that the kernel may
// refuse in a user namespace because the attributes are locked: one for each restriction that is
// removed, and one for access times (mount_namespaces(7)).
func (a MountAttr) Parts() (parts []MountAttr) {
	add := func(set, clear uint64) {
		if set|clear != 0 {
			parts = append(parts, MountAttr{Set: set, Clear: clear, Recursive: a.Recursive})
		}
	}
	add(a.Set&^timesMask, 0)
	for _, l := range lockable {
		add(0, a.Clear&l.attr)
	}
	add(0, a.Clear&unix.MOUNT_ATTR_NOSYMFOLLOW)
	add(a.Set&timesMask, a.Clear&timesMask)
	return parts
}

// lockable are the attributes that cannot be cleared in a user namespace once they are locked.
var lockable = []struct {
	attr uint64
	name string
}{
	{unix.MOUNT_ATTR_RDONLY, "ro"}, {unix.MOUNT_ATTR_NOSUID, "nosuid"},
	{unix.MOUNT_ATTR_NODEV, "nodev"}, {unix.MOUNT_ATTR_NOEXEC, "noexec"},
}

// Locked returns what a mount keeps when the kernel refuses this change with EPERM. It is empty
// for a change that no lock can prevent. The change has to be one of the Parts.
func (a MountAttr) Locked() string {
	for _, l := range lockable {
		if a.Clear&l.attr != 0 {
			return "stays " + l.name
		}
	}
	if (a.Set|a.Clear)&timesMask != 0 {
		return "keeps its access times"
	}
	return ""
}

// LockedText returns a warning about a mount that keeps an attribute (see Locked).
func LockedText(subject, keeps string) string {
	return subject + ": it " + keeps + ": the host has that locked, and only its root can change it"
}

// AccessTimes is when a mount updates the access times of files.
type AccessTimes int

// The values of [AccessTimes].
const (
	AnyTimes    AccessTimes = iota
	Relatime                // after a change, and once a day; the default
	Noatime                 // never
	Strictatime             // always
)

// TimesOf returns how a mount with these attributes updates access times.
func TimesOf(attr uint64) AccessTimes {
	switch attr & unix.MOUNT_ATTR__ATIME {
	case unix.MOUNT_ATTR_NOATIME:
		return Noatime
	case unix.MOUNT_ATTR_STRICTATIME:
		return Strictatime
	}
	return Relatime
}

// IDMapping says which mounts get an id mapping.
type IDMapping int

// The values of [IDMapping].
const (
	NoIDMap        IDMapping = iota
	IDMapTop                 // the mount itself
	IDMapRecursive           // the mounts below it as well
)

// Flags of statfs(2) (ST_NOATIME, ST_RELATIME).
const (
	StatfsNoatime  = 0x400
	StatfsRelatime = 0x1000
)

// TimesOfStatfs returns how a mount with these flags of statfs(2) updates access times.
func TimesOfStatfs(flags uint64) AccessTimes {
	switch {
	case flags&StatfsNoatime != 0:
		return Noatime
	case flags&StatfsRelatime != 0:
		return Relatime
	}
	return Strictatime
}

// MountOptions is the meaning of the options of a mount (config.md#linux-mount-options).
type MountOptions struct {
	// Bind means a bind mount, and Recursive that it includes the mounts below its source.
	Bind, Recursive bool
	// Remount changes the mount that is at the destination already. With Bind only the mount
	// changes, not its file system.
	Remount bool
	// IDMap says which mounts get an id mapping.
	IDMap IDMapping
	// IDs are the mappings in the value of the option; nil when it has none.
	IDs *MountIDs
	// CopySymlink copies the source when it is a symbolic link, instead of mounting it.
	CopySymlink bool
	// SourceNoFollow and DestNoFollow mean that a symbolic link at the source or the destination
	// is not followed.
	SourceNoFollow, DestNoFollow bool
	// CopyUp copies the content of the mount point into a new tmpfs.
	CopyUp bool
	// Attrs are changes of attributes. Later ones override earlier ones.
	Attrs []MountAttr
	// Propagation has MS_SHARED etc. in the given order, each with MS_REC when it is recursive.
	Propagation []uint64
	// Params are the parameters of the file system, in the given order.
	Params []MountParam
	// Idle are options without effect: parameters of a file system on a bind mount.
	Idle []string
}

// MountParam is an option for the file system: a key with or without a value.
type MountParam struct {
	Key, Value string
	HasValue   bool
}

func (p MountParam) String() string {
	if p.HasValue {
		return p.Key + "=" + p.Value
	}
	return p.Key
}

// effect is the effect of an option.
type effect struct {
	set, clear uint64      // mount attributes
	when       AccessTimes // the condition, see MountAttr.When
	param      string      // a parameter of the file system instead
	nothing    bool        // accepted, and the default
}

const atime = unix.MOUNT_ATTR__ATIME

// mountEffects are the options that change attributes. With an "r" in front they apply
// recursively. As in mount(8), an option such as "norelatime" has no effect on a mount that
// updates access times in another way.
var mountEffects = oci.Table[string, effect]{
	{"ro", effect{set: unix.MOUNT_ATTR_RDONLY}},
	{"rw", effect{clear: unix.MOUNT_ATTR_RDONLY}},
	{"nosuid", effect{set: unix.MOUNT_ATTR_NOSUID}},
	{"suid", effect{clear: unix.MOUNT_ATTR_NOSUID}},
	{"nodev", effect{set: unix.MOUNT_ATTR_NODEV}},
	{"dev", effect{clear: unix.MOUNT_ATTR_NODEV}},
	{"noexec", effect{set: unix.MOUNT_ATTR_NOEXEC}},
	{"exec", effect{clear: unix.MOUNT_ATTR_NOEXEC}},
	{"nodiratime", effect{set: unix.MOUNT_ATTR_NODIRATIME}},
	{"diratime", effect{clear: unix.MOUNT_ATTR_NODIRATIME}},
	{"noatime", effect{set: unix.MOUNT_ATTR_NOATIME, clear: atime}},
	{"atime", effect{set: unix.MOUNT_ATTR_RELATIME, clear: atime, when: Noatime}},
	{"relatime", effect{set: unix.MOUNT_ATTR_RELATIME, clear: atime}},
	{"norelatime", effect{set: unix.MOUNT_ATTR_STRICTATIME, clear: atime, when: Relatime}},
	{"strictatime", effect{set: unix.MOUNT_ATTR_STRICTATIME, clear: atime}},
	{"nostrictatime", effect{set: unix.MOUNT_ATTR_RELATIME, clear: atime, when: Strictatime}},
	{"nosymfollow", effect{set: unix.MOUNT_ATTR_NOSYMFOLLOW}},
	{"symfollow", effect{clear: unix.MOUNT_ATTR_NOSYMFOLLOW}},
}

// superEffects are options of the file system as a whole that the kernel knows by these names.
var superEffects = oci.Table[string, effect]{
	{"sync", effect{param: "sync"}},
	{"async", effect{param: "async"}},
	{"dirsync", effect{param: "dirsync"}},
	{"lazytime", effect{param: "lazytime"}},
	{"nolazytime", effect{param: "nolazytime"}},
	{"mand", effect{param: "mand"}},
	{"nomand", effect{param: "nomand"}},
	{"defaults", effect{nothing: true}},
	{"loud", effect{nothing: true}},
	// The new mount API prints no messages to suppress.
	{"silent", effect{nothing: true}},
	// Since 4.16 the kernel maintains change counters whenever a file system has them.
	{"iversion", effect{nothing: true}},
	{"noiversion", effect{nothing: true}},
}

var propagations = oci.Table[string, uint64]{
	{"shared", unix.MS_SHARED}, {"rshared", unix.MS_SHARED | unix.MS_REC},
	{"slave", unix.MS_SLAVE}, {"rslave", unix.MS_SLAVE | unix.MS_REC},
	{"private", unix.MS_PRIVATE}, {"rprivate", unix.MS_PRIVATE | unix.MS_REC},
	{"unbindable", unix.MS_UNBINDABLE}, {"runbindable", unix.MS_UNBINDABLE | unix.MS_REC},
}

// mountKinds are the options that choose the kind of mount.
var mountKinds = oci.Table[string, func(*MountOptions)]{
	{"bind", func(o *MountOptions) { o.Bind = true }},
	{"rbind", func(o *MountOptions) { o.Bind, o.Recursive = true, true }},
	{"remount", func(o *MountOptions) { o.Remount = true }},
	{"idmap", func(o *MountOptions) { o.IDMap = max(o.IDMap, IDMapTop) }},
	{"ridmap", func(o *MountOptions) { o.IDMap = IDMapRecursive }},
	{"tmpcopyup", func(o *MountOptions) { o.CopyUp = true }},
	// As in crun.
	{"copy-symlink", func(o *MountOptions) { o.CopySymlink = true }},
	{"src-nofollow", func(o *MountOptions) { o.SourceNoFollow = true }},
	{"dest-nofollow", func(o *MountOptions) { o.DestNoFollow = true }},
}

// Propagation returns the MS_* value of linux.rootfsPropagation, 0 for an unknown one.
func Propagation(name string) uint64 { return propagations.Of(name) }

// MountOptionNames returns all options with a meaning of their own, sorted. Any other option is
// passed to the file system.
func MountOptionNames() []string {
	names := slices.Concat(superEffects.Words(), propagations.Words(), mountKinds.Words())
	for _, name := range mountEffects.Words() {
		names = append(names, name, "r"+name)
	}
	slices.Sort(names)
	return names
}

// ParseMountOptions parses the options of a mount. Later options override earlier ones, as in
// mount(8).
func ParseMountOptions(m specs.Mount) (o MountOptions, err error) {
	o.Bind = m.Type == "bind"
	for _, opt := range m.Options {
		if opt == "" {
			return o, fmt.Errorf("an option is empty")
		}
		if strings.ContainsRune(opt, 0) {
			return o, fmt.Errorf("%q has a NUL character in it", opt)
		}
		tree, isTree := strings.CutPrefix(opt, "r")
		if kind, ok := mountKinds.Find(opt); ok {
			kind(&o)
		} else if p, ok := propagations.Find(opt); ok {
			o.Propagation = append(o.Propagation, p)
		} else if e, ok := mountEffects.Find(opt); ok {
			o.change(e, false)
		} else if e, ok := mountEffects.Find(tree); ok && isTree {
			o.change(e, true)
		} else if e, ok := superEffects.Find(opt); ok {
			if !e.nothing {
				o.Params = append(o.Params, MountParam{Key: e.param})
			}
		} else {
			key, value, hasValue := strings.Cut(opt, "=")
			if hasValue && (key == "idmap" || key == "ridmap") {
				mountKinds.Of(key)(&o)
				if o.IDs, err = parseMountIDs(value); err != nil {
					return o, fmt.Errorf("%q: %w", opt, err)
				}
				continue
			}
			if IsSELinuxOption(key) {
				// mount(8) needs quotes around a label with commas; the kernel refuses them.
				value = strings.Trim(value, `"`)
			}
			o.Params = append(o.Params, MountParam{key, value, hasValue})
		}
	}
	if len(m.UIDMappings)+len(m.GIDMappings) > 0 && o.IDMap == NoIDMap {
		o.IDMap = IDMapTop
	}
	return o, o.check(m)
}

// check finds options that exclude each other.
func (o *MountOptions) check(m specs.Mount) error {
	if o.Bind {
		for _, p := range o.Params {
			if superEffects.Has(p.Key) && !p.HasValue {
				// A parameter of the source's file system, which a bind mount does not change.
				o.Idle = append(o.Idle, p.Key)
				continue
			}
			return fmt.Errorf("%q is not an option of bind mounts", p)
		}
		o.Params = nil
	}
	links := o.CopySymlink || o.SourceNoFollow || o.DestNoFollow
	switch {
	case links && (!o.Bind || o.Remount):
		return fmt.Errorf(`"copy-symlink", "src-nofollow" and "dest-nofollow" are only possible for a new bind mount`)
	case o.CopySymlink && (o.SourceNoFollow || o.DestNoFollow):
		return fmt.Errorf(`"copy-symlink" is not possible along with "src-nofollow" or "dest-nofollow": nothing is mounted where a link is copied`)
	case o.CopyUp && (o.Bind || o.Remount || m.Type != "tmpfs"):
		return fmt.Errorf(`"tmpcopyup" is only possible for a new tmpfs`)
	case o.IDMap != NoIDMap && o.Remount:
		return fmt.Errorf("a remount cannot change the mapping of ids")
	case o.IDMap != NoIDMap && m.Type == "cgroup" && !o.Bind:
		return fmt.Errorf("mounts of cgroups cannot have a mapping of ids")
	}
	return nil
}

// change adds a change of attributes.
func (o *MountOptions) change(e effect, recursive bool) {
	if n := len(o.Attrs); n == 0 || o.Attrs[n-1].Recursive != recursive || o.Attrs[n-1].When != e.when {
		o.Attrs = append(o.Attrs, MountAttr{Recursive: recursive, When: e.when})
	}
	o.Attrs[len(o.Attrs)-1].apply(e)
}

// NewAttr returns the attributes of a new mount, which starts without any and has no mounts below
// it, after all changes.
func (o *MountOptions) NewAttr() (attr uint64) {
	for _, a := range o.Attrs {
		if a.When == AnyTimes || a.When == TimesOf(attr) {
			attr = attr&^a.Clear | a.Set
		}
	}
	return attr
}

// PointMode returns the mode of a mount point that has to be created for a new file system. A
// tmpfs takes the mode of its mount point (see package compile), so the mode is the kernel's
// default for a tmpfs: the next container then gets the same as this one.
func (o *MountOptions) PointMode(fstype string) uint32 {
	if fstype != "tmpfs" || o.Bind {
		return 0o755
	}
	for _, p := range o.Params {
		if p.Key == "mode" {
			return 0o755
		}
	}
	return 0o1777
}

// Changes reports whether the options set or clear an attribute in the end. When neither is true,
// the attribute stays as it is.
func (o *MountOptions) Changes(attr uint64) (set, cleared bool) {
	for _, a := range o.Attrs {
		switch {
		case a.Set&attr != 0:
			set, cleared = true, false
		case a.Clear&attr != 0:
			set, cleared = false, true
		}
	}
	return set, cleared
}

func (a *MountAttr) apply(e effect) {
	a.Set = a.Set&^e.clear | e.set
	a.Clear = a.Clear&^(e.set&^atime) | e.clear
}
