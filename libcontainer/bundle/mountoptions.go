package bundle

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// MountAttr is a change of a mount's attributes, in the terms of mount_setattr(2).
type MountAttr struct {
	Set, Clear uint64
}

// MountOptions is the meaning of the options of a mount (config.md#linux-mount-options).
type MountOptions struct {
	// Bind and Recursive tell a bind mount and whether it takes the mounts
	// below its source along.
	Bind, Recursive bool
	// Attr is for the mount itself, TreeAttr also for those below it.
	Attr, TreeAttr MountAttr
	// Propagation holds MS_SHARED and the like in the order given, each with
	// MS_REC when it is recursive.
	Propagation []uint64
	// Params are what the file system itself gets, in the order given.
	Params []MountParam
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

// effect is what an option does.
type effect struct {
	set, clear uint64 // mount attributes
	param      string // a flag of the file system instead
	nothing    bool   // accepted, and the default
}

const atime = unix.MOUNT_ATTR__ATIME

// mountEffects are the options that change attributes. Those of a mount and, with
// an "r" in front, those of a tree of mounts are the same.
var mountEffects = map[string]effect{
	"ro":            {set: unix.MOUNT_ATTR_RDONLY},
	"rw":            {clear: unix.MOUNT_ATTR_RDONLY},
	"nosuid":        {set: unix.MOUNT_ATTR_NOSUID},
	"suid":          {clear: unix.MOUNT_ATTR_NOSUID},
	"nodev":         {set: unix.MOUNT_ATTR_NODEV},
	"dev":           {clear: unix.MOUNT_ATTR_NODEV},
	"noexec":        {set: unix.MOUNT_ATTR_NOEXEC},
	"exec":          {clear: unix.MOUNT_ATTR_NOEXEC},
	"nodiratime":    {set: unix.MOUNT_ATTR_NODIRATIME},
	"diratime":      {clear: unix.MOUNT_ATTR_NODIRATIME},
	"noatime":       {set: unix.MOUNT_ATTR_NOATIME, clear: atime},
	"atime":         {set: unix.MOUNT_ATTR_RELATIME, clear: atime},
	"relatime":      {set: unix.MOUNT_ATTR_RELATIME, clear: atime},
	"norelatime":    {set: unix.MOUNT_ATTR_STRICTATIME, clear: atime},
	"strictatime":   {set: unix.MOUNT_ATTR_STRICTATIME, clear: atime},
	"nostrictatime": {set: unix.MOUNT_ATTR_RELATIME, clear: atime},
	"nosymfollow":   {set: unix.MOUNT_ATTR_NOSYMFOLLOW},
	"symfollow":     {clear: unix.MOUNT_ATTR_NOSYMFOLLOW},
}

// superEffects are the options of the file system as a whole that the kernel
// knows by these names.
var superEffects = map[string]effect{
	"sync":       {param: "sync"},
	"async":      {param: "async"},
	"dirsync":    {param: "dirsync"},
	"lazytime":   {param: "lazytime"},
	"nolazytime": {param: "nolazytime"},
	"mand":       {param: "mand"},
	"nomand":     {param: "nomand"},
	"defaults":   {nothing: true},
	"loud":       {nothing: true},
	// The new mount interface has no messages to suppress.
	"silent": {nothing: true},
	// The kernel has kept change counters since 4.16 whenever a file system
	// has them.
	"iversion":   {nothing: true},
	"noiversion": {nothing: true},
}

var propagations = map[string]uint64{
	"shared": unix.MS_SHARED, "rshared": unix.MS_SHARED | unix.MS_REC,
	"slave": unix.MS_SLAVE, "rslave": unix.MS_SLAVE | unix.MS_REC,
	"private": unix.MS_PRIVATE, "rprivate": unix.MS_PRIVATE | unix.MS_REC,
	"unbindable": unix.MS_UNBINDABLE, "runbindable": unix.MS_UNBINDABLE | unix.MS_REC,
}

// Propagation is the MS_* value of linux.rootfsPropagation, 0 for an unknown one.
func Propagation(name string) uint64 { return propagations[name] }

// MountOptionNames are all options that have a meaning here, sorted. Any other one is
// for the file system.
func MountOptionNames() []string {
	names := []string{"bind", "rbind"}
	for name := range mountEffects {
		names = append(names, name, "r"+name)
	}
	for name := range superEffects {
		names = append(names, name)
	}
	for name := range propagations {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// notYet are options of the specification that this version does not have.
var notYet = []string{"idmap", "ridmap", "tmpcopyup", "remount"}

// ParseMountOptions gives the options of a mount their meaning. Later options
// override earlier ones, as in mount(8).
func ParseMountOptions(m specs.Mount) (o MountOptions, err error) {
	o.Bind = m.Type == "bind"
	o.Recursive = o.Bind && slices.Contains(m.Options, "rbind")
	for _, opt := range m.Options {
		switch opt {
		case "bind":
			o.Bind = true
			continue
		case "rbind":
			o.Bind, o.Recursive = true, true
			continue
		case "":
			return o, fmt.Errorf("an option is empty")
		}
		if strings.ContainsRune(opt, 0) {
			return o, fmt.Errorf("%q has a NUL character in it", opt)
		}
		if slices.Contains(notYet, opt) || strings.HasPrefix(opt, "idmap=") || strings.HasPrefix(opt, "ridmap=") {
			return o, fmt.Errorf("%q is not supported by this version of coracle", opt)
		}
		if p, ok := propagations[opt]; ok {
			o.Propagation = append(o.Propagation, p)
		} else if e, ok := mountEffects[opt]; ok {
			o.Attr.apply(e)
		} else if e, ok := mountEffects[strings.TrimPrefix(opt, "r")]; ok && strings.HasPrefix(opt, "r") {
			o.TreeAttr.apply(e)
		} else if e, ok := superEffects[opt]; ok {
			if !e.nothing {
				o.Params = append(o.Params, MountParam{Key: e.param})
			}
		} else {
			key, value, hasValue := strings.Cut(opt, "=")
			o.Params = append(o.Params, MountParam{key, value, hasValue})
		}
	}
	if o.Bind {
		for _, p := range o.Params {
			if _, ok := superEffects[p.Key]; ok && !p.HasValue {
				continue // of the file system behind the source, which stays as it is
			}
			return o, fmt.Errorf("%q is not an option of bind mounts", p)
		}
	}
	return o, nil
}

func (a *MountAttr) apply(e effect) {
	a.Set = a.Set&^e.clear | e.set
	a.Clear = a.Clear&^(e.set&^atime) | e.clear
}
