package bundle

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestMountOptions(t *testing.T) {
	const (
		ro, nosuid, noexec = unix.MOUNT_ATTR_RDONLY, unix.MOUNT_ATTR_NOSUID, unix.MOUNT_ATTR_NOEXEC
		noatime, strict    = unix.MOUNT_ATTR_NOATIME, unix.MOUNT_ATTR_STRICTATIME
	)
	for _, c := range []struct {
		m    specs.Mount
		want MountOptions
	}{
		{specs.Mount{Type: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k", "noswap"}}, MountOptions{
			Attrs:  []MountAttr{{Set: nosuid | strict, Clear: atime}},
			Params: []MountParam{{"mode", "755", true}, {"size", "65536k", true}, {"noswap", "", false}},
		}},
		{specs.Mount{Options: []string{"rbind", "ro", "rw"}}, MountOptions{Bind: true, Recursive: true, Attrs: []MountAttr{{Clear: ro}}}},
		{specs.Mount{Options: []string{"bind", "rw", "ro"}}, MountOptions{Bind: true, Attrs: []MountAttr{{Set: ro}}}},
		{specs.Mount{Type: "bind", Options: []string{"rro", "noexec", "rprivate", "shared"}}, MountOptions{
			Bind: true, Attrs: []MountAttr{{Set: ro, Recursive: true}, {Set: noexec}},
			Propagation: []uint64{unix.MS_PRIVATE | unix.MS_REC, unix.MS_SHARED},
		}},
		// In the order of the list, recursive or not.
		{specs.Mount{Options: []string{"rbind", "rw", "rro", "nosuid", "ro"}}, MountOptions{
			Bind: true, Recursive: true, Attrs: []MountAttr{{Clear: ro}, {Set: ro, Recursive: true}, {Set: nosuid | ro}},
		}},
		{specs.Mount{Options: []string{"bind", "sync", "lazytime", "silent"}}, MountOptions{Bind: true, Idle: []string{"sync", "lazytime"}}},
		{specs.Mount{Options: []string{"bind", "remount", "ro"}}, MountOptions{Bind: true, Remount: true, Attrs: []MountAttr{{Set: ro}}}},
		{specs.Mount{Options: []string{"remount", "size=1m"}}, MountOptions{Remount: true, Params: []MountParam{{"size", "1m", true}}}},
		{specs.Mount{Type: "tmpfs", Options: []string{"tmpcopyup"}}, MountOptions{CopyUp: true}},
		{specs.Mount{Options: []string{"bind", "idmap"}}, MountOptions{Bind: true, IDMap: IDMapTop}},
		{specs.Mount{Options: []string{"rbind", "ridmap", "idmap"}}, MountOptions{Bind: true, Recursive: true, IDMap: IDMapRecursive}},
		{specs.Mount{Options: []string{"bind"}, UIDMappings: make([]specs.LinuxIDMapping, 1)}, MountOptions{Bind: true, IDMap: IDMapTop}},
		{specs.Mount{Type: "tmpfs", Options: []string{"noatime", "relatime"}}, MountOptions{Attrs: []MountAttr{{Clear: atime}}}},
		{specs.Mount{Type: "tmpfs", Options: []string{"relatime", "noatime"}}, MountOptions{Attrs: []MountAttr{{Set: noatime, Clear: atime}}}},
		// Whether they have an effect depends on the mount.
		{specs.Mount{Options: []string{"bind", "norelatime", "rnostrictatime", "atime"}}, MountOptions{Bind: true, Attrs: []MountAttr{
			{Set: strict, Clear: atime, When: Relatime}, {Clear: atime, When: Strictatime, Recursive: true}, {Clear: atime, When: Noatime},
		}}},
		{specs.Mount{Type: "ext4", Options: []string{"defaults", "sync", "a=b=c"}}, MountOptions{
			Params: []MountParam{{"sync", "", false}, {"a", "b=c", true}},
		}},
	} {
		got, err := ParseMountOptions(c.m)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v:\n got %+v, %v\nwant %+v", c.m, got, err, c.want)
		}
	}
}

// TestEveryMountOptionOfTheSpec: no option of the specification is passed to the file system as
// unknown.
func TestEveryMountOptionOfTheSpec(t *testing.T) {
	options := strings.Fields(`async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime
		nodev nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind
		rdev rdiratime relatime rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow
		ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave
		strictatime suid symfollow sync unbindable
		remount tmpcopyup idmap ridmap`)
	names := MountOptionNames()
	if !slices.IsSorted(names) {
		t.Error("the names are not sorted")
	}
	for _, o := range options {
		if !slices.Contains(names, o) {
			t.Errorf("%s is not among the names", o)
		}
		got, err := ParseMountOptions(specs.Mount{Type: "tmpfs", Options: []string{o}})
		if err != nil {
			t.Errorf("%s: %v", o, err)
		}
		for _, p := range got.Params {
			if !superEffects.Has(p.Key) {
				t.Errorf("%s went to the file system", o)
			}
		}
	}
}

// TestAttributesOfANewMount: options that clear an attribute see what earlier options have set.
func TestAttributesOfANewMount(t *testing.T) {
	for options, want := range map[string]uint64{
		"":                                     unix.MOUNT_ATTR_RELATIME,
		"norelatime":                           unix.MOUNT_ATTR_STRICTATIME,
		"noatime,norelatime":                   unix.MOUNT_ATTR_NOATIME,
		"noatime,nostrictatime":                unix.MOUNT_ATTR_NOATIME,
		"noatime,atime":                        unix.MOUNT_ATTR_RELATIME,
		"strictatime,atime":                    unix.MOUNT_ATTR_STRICTATIME,
		"norelatime,nostrictatime":             unix.MOUNT_ATTR_RELATIME,
		"noatime,ratime,norelatime,nodiratime": unix.MOUNT_ATTR_STRICTATIME | unix.MOUNT_ATTR_NODIRATIME,
	} {
		o, err := ParseMountOptions(specs.Mount{Type: "tmpfs", Options: strings.FieldsFunc(options, func(r rune) bool { return r == ',' })})
		if got := o.NewAttr(); err != nil || got != want {
			t.Errorf("%s: %#x, %v, want %#x", options, got, err, want)
		}
	}
}

func TestMountOptionsThatDoNotFit(t *testing.T) {
	for want, m := range map[string]specs.Mount{
		`an option is empty`:                           {Type: "tmpfs", Options: []string{"ro", ""}},
		`"a\x00" has a NUL`:                            {Type: "tmpfs", Options: []string{"a\x00"}},
		`"size=1m" is not an option of bind mounts`:    {Options: []string{"bind", "size=1m"}},
		`"ro=1" is not an option of bind mounts`:       {Options: []string{"bind", "ro=1"}},
		`"tmpcopyup" is only possible for a new tmpfs`: {Type: "ramfs", Options: []string{"tmpcopyup"}},
		`a remount cannot change the mapping`:          {Options: []string{"bind", "remount", "idmap"}},
		`mounts of cgroups cannot`:                     {Type: "cgroup", Options: []string{"idmap"}},
		`it needs both uids=… and gids=…`:              {Options: []string{"bind", "idmap=uids=0-1-10"}},
		`"x=0-1-10" is neither uids`:                   {Options: []string{"bind", "idmap=uids=0-1-10;x=0-1-10"}},
		`has uids twice`:                               {Options: []string{"bind", "idmap=uids=0-1-10;uids=0-1-10"}},
		`"0-1" is not a range of ids: want`:            {Options: []string{"bind", "ridmap=uids=0-1;gids=0-1-10"}},
		`"0-1--1" is not a range of ids`:               {Options: []string{"bind", "idmap=uids=0-1-10;gids=0-1--1"}},
		`"+1" is not an id`:                            {Options: []string{"bind", "idmap=uids=0-+1-10;gids=0-1-1"}},
		`"@0-0-0" is not a range of ids: size`:         {Options: []string{"bind", "idmap=uids=@0-0-0;gids=0-1-1"}},
		`goes beyond the last id`:                      {Options: []string{"bind", "idmap=uids=4294967290-0-10;gids=0-1-1"}},
	} {
		if _, err := ParseMountOptions(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", m, err)
		}
	}
}

func FuzzParseMountOptions(f *testing.F) {
	f.Add("tmpfs", "size=1m,ro,rbind")
	f.Add("bind", "rro,=,shared")
	f.Add("tmpfs", "rw,rro,rnoatime,noatime,remount")
	f.Add("none", "rbind,ridmap,lazytime,runbindable")
	f.Add("tmpfs", "tmpcopyup,noexec,rexec")
	f.Fuzz(func(t *testing.T, typ, options string) {
		o, err := ParseMountOptions(specs.Mount{Type: typ, Options: strings.Split(options, ",")})
		if err != nil {
			return
		}
		for _, p := range o.Params {
			if strings.ContainsRune(p.Key+p.Value, 0) {
				t.Errorf("a NUL got through in %+v", p)
			}
		}
		for _, a := range o.Attrs {
			if a.Set&a.Clear&^uint64(atime) != 0 {
				t.Errorf("%#x is both set and cleared", a.Set&a.Clear)
			}
			if a.Set&atime != 0 && a.Clear&atime != atime {
				t.Errorf("%#x sets a time without clearing others", a.Set)
			}
			switch a.Set & atime {
			case unix.MOUNT_ATTR_RELATIME, unix.MOUNT_ATTR_NOATIME, unix.MOUNT_ATTR_STRICTATIME:
			default:
				t.Errorf("%#x sets two times", a.Set)
			}
		}
		if set, cleared := o.Changes(unix.MOUNT_ATTR_RDONLY); set && cleared || set != (o.NewAttr()&unix.MOUNT_ATTR_RDONLY != 0) {
			t.Errorf("read-only is set %v and cleared %v, and the outcome is %#x", set, cleared, o.NewAttr())
		}
		if o.Bind && len(o.Params) > 0 || o.Remount && o.IDMap != NoIDMap || o.CopyUp && typ != "tmpfs" {
			t.Errorf("accepted: %+v", o)
		}
	})
}
