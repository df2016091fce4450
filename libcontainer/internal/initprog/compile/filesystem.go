package compile

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// Limits of the kernel, in bytes without the terminating NUL: for a value of fsconfig(2), and for
// all options of mount(2) together.
const (
	maxParam = 255
	maxData  = 4095
)

// newFilesystem makes a detached mount of a new file system.
func (c *compiler) newFilesystem(fstype, src string, params []bundle.MountParam, attr uint64, into program.Word) {
	if fstype == "overlay" {
		params = overlayDirs(params, c.in.Bundle.Path)
	}
	if tooLong(src, params) {
		if data, ok := mountData(params); ok {
			c.legacyFilesystem(fstype, src, data, attr, into)
			return
		}
		if fstype == "overlay" {
			params = overlayLayers(params)
		}
	}
	defer c.block()()
	fs := c.take("fs")
	all := c.Note()
	opening := *all
	opening.Explain = func(e syscall.Errno) string {
		switch {
		case e == unix.ENODEV:
			return fmt.Sprintf("%s: %v: the kernel has no file system %q", all.Subject(), e, fstype)
		case all.Explain != nil:
			return all.Explain(e)
		}
		return ""
	}
	c.step(opening, func() { c.Fsopen(fstype).Into(fs) })
	if src != "" {
		c.configure(fs, fstype, []bundle.MountParam{{Key: "source", Value: src, HasValue: true}})
	}
	c.configure(fs, fstype, params)
	if fstype == "proc" && c.pidNamespace != (program.Arg{}) {
		// Otherwise it would show the processes of the namespace that this one is in.
		c.FsconfigFD(fs.Arg(), "pidns", c.pidNamespace)
	}
	c.FsconfigCreate(fs.Arg())
	c.Fsmount(fs.Arg(), attr).Into(into)
	c.Close(fs.Arg())
}

// configure sets the parameters of a file system. An error names the wrong one.
func (c *compiler) configure(fs program.Word, fstype string, params []bundle.MountParam) {
	for _, p := range params {
		all := c.Note()
		if len(p.Value) > maxParam {
			c.fail(all.Where(), "%s: the value of %q has %d bytes, the kernel takes at most %d", all.Subject(), p.Key, len(p.Value), maxParam)
		}
		one := *all
		one.Explain = func(e syscall.Errno) string {
			switch {
			case e == unix.EINVAL && c.inUserNamespace() && isID(p):
				return fmt.Sprintf("%s: %v: the id of the option %q is not mapped in the user namespace", all.Subject(), e, p)
			case e == unix.EINVAL:
				return fmt.Sprintf("%s: %v: the file system %q does not accept the option %q", all.Subject(), e, fstype, p)
			case all.Explain != nil:
				return all.Explain(e)
			}
			return ""
		}
		c.step(one, func() {
			if p.HasValue {
				c.FsconfigString(fs.Arg(), p.Key, p.Value)
			} else {
				c.FsconfigFlag(fs.Arg(), p.Key)
			}
		})
	}
}

// isID reports whether an option's value is a user or group id.
func isID(p bundle.MountParam) bool {
	_, _, ok := p.ID()
	return ok
}

// mountOwners are the namespaces that file systems show. The kernel requires privileges over
// them.
var mountOwners = oci.Table[string, specs.LinuxNamespaceType]{{"sysfs", specs.NetworkNamespace}, {"proc", specs.PIDNamespace}}

// explain returns what can be wrong with a file system as a whole.
func (m *mount) explain(e syscall.Errno) string {
	hint := ""
	switch e {
	case unix.EINVAL:
		switch {
		case m.Bind:
			return ""
		case len(m.Params) > 0:
			hint = "the options are " + strings.Join(m.Options, ",")
		case !pseudo(m.Type):
			hint = fmt.Sprintf("the source %q does not hold a file system %q, or the options that it needs are missing", m.Source, m.Type)
		default:
			return ""
		}
	case unix.ENOTBLK:
		hint = fmt.Sprintf("the source %q has to be a block device", m.Source)
	case unix.ENOENT:
		if m.Bind || pseudo(m.Type) || !filepath.IsAbs(m.Source) {
			return ""
		}
		hint = fmt.Sprintf("the source is %q", m.Source)
	case unix.EPERM, unix.EACCES:
		if hint = m.forbidden(); hint == "" {
			return ""
		}
	case unix.EBUSY:
		if m.Bind || pseudo(m.Type) {
			return ""
		}
		hint = fmt.Sprintf("the source %q is in use, or mounted with other options", m.Source)
	default:
		return ""
	}
	return m.subject.Subject() + ": " + e.Error() + ": " + hint
}

// forbidden returns why the kernel forbids mounting a file system, as far as that can be known.
func (m *mount) forbidden() string {
	owner := mountOwners.Of(m.Type)
	switch {
	case m.Bind:
	case owner != "" && m.inUserns && !m.newOwner:
		return fmt.Sprintf("in a user namespace it takes a new %s namespace; %q can be a bind mount of the host's", owner, m.dest)
	case owner != "" && m.inUserns:
		return fmt.Sprintf("in a user namespace this needs one of the host that is not covered by other mounts; a bind mount of the host's at %q works", m.dest)
	case m.deviceRules && filepath.IsAbs(m.Source) && !m.inUserns && !pseudo(m.Type):
		return fmt.Sprintf("linux.resources.devices may have to allow the device %q", m.Source)
	}
	return ""
}

func tooLong(src string, params []bundle.MountParam) bool {
	if len(src) > maxParam {
		return true
	}
	for _, p := range params {
		if len(p.Value) > maxParam {
			return true
		}
	}
	return false
}

// legacyFlags are the options of file systems and mounts as flags of mount(2).
var legacyFlags = []struct {
	option string
	attr   uint64
	flag   uint64
}{
	{"ro", unix.MOUNT_ATTR_RDONLY, unix.MS_RDONLY},
	{"", unix.MOUNT_ATTR_NOSUID, unix.MS_NOSUID},
	{"", unix.MOUNT_ATTR_NODEV, unix.MS_NODEV},
	{"", unix.MOUNT_ATTR_NOEXEC, unix.MS_NOEXEC},
	{"", unix.MOUNT_ATTR_NODIRATIME, unix.MS_NODIRATIME},
	{"", unix.MOUNT_ATTR_NOATIME, unix.MS_NOATIME},
	{"", unix.MOUNT_ATTR_STRICTATIME, unix.MS_STRICTATIME},
	{"", unix.MOUNT_ATTR_NOSYMFOLLOW, unix.MS_NOSYMFOLLOW},
	{"sync", 0, unix.MS_SYNCHRONOUS},
	{"dirsync", 0, unix.MS_DIRSYNC},
	{"mand", 0, unix.MS_MANDLOCK},
	{"lazytime", 0, unix.MS_LAZYTIME},
}

// legacyFilesystem makes a detached mount of a new file system by mount(2), for options
// that are too long for fsconfig(2).
//
// mount(2) attaches the new mount. It is attached in a directory that no other process can name,
// and then a detached copy of it is used.
func (c *compiler) legacyFilesystem(fstype, src string, data legacyData, attr uint64, into program.Word) {
	for _, f := range legacyFlags {
		if f.attr&attr != 0 {
			data.flags |= f.flag
		}
	}
	if attr&unix.MOUNT_ATTR__ATIME == 0 {
		data.flags |= unix.MS_RELATIME
	}
	const name = "m"
	stage := c.Word("stage", -1)
	c.newFilesystem("tmpfs", "tmpfs", []bundle.MountParam{{Key: "mode", Value: "700", HasValue: true}}, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC, stage)
	c.Mkdirat(stage.Arg(), name, 0o700)
	// Mount it on the root, where no path leads to it.
	//allow:path the root of a mount namespace that only this program is in
	c.MoveMountAt(stage.Arg(), program.Cwd(), "/")
	c.Fchdir(stage.Arg())
	c.Mount(src, name, fstype, data.flags, data.text)
	c.OpenTree(stage.Arg(), name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC).Into(into)
	c.Umount(".", unix.MNT_DETACH)
	c.Chdir("/")
	c.Close(stage.Arg())
}

// legacyData are the options for mount(2).
type legacyData struct {
	text  string
	flags uint64
}

// mountData joins options for mount(2); ok is false when they do not fit. A comma in an option
// would split it, except in SELinux labels, which may be quoted.
func mountData(params []bundle.MountParam) (d legacyData, ok bool) {
	var rest []string
	for _, p := range params {
		if flag, set, known := legacyFlag(p); known {
			d.flags &^= flag
			if set {
				d.flags |= flag
			}
			continue
		}
		text := p.String()
		if strings.Contains(text, ",") {
			if !bundle.IsSELinuxOption(p.Key) || strings.Contains(p.Value, `"`) {
				return d, false
			}
			text = p.Key + `="` + p.Value + `"`
		}
		rest = append(rest, text)
	}
	d.text = strings.Join(rest, ",")
	return d, len(d.text) <= maxData
}

// legacyFlag returns the flag of mount(2) for an option, if there is one.
func legacyFlag(p bundle.MountParam) (flag uint64, set, known bool) {
	if p.HasValue {
		return 0, false, false
	}
	if p.Key == "async" {
		return unix.MS_SYNCHRONOUS, false, true
	}
	for _, f := range legacyFlags {
		switch {
		case f.option == "":
		case p.Key == f.option:
			return f.flag, true, true
		case p.Key == "no"+f.option:
			return f.flag, false, true
		}
	}
	return 0, false, false
}

// overlayDirs makes the directories of an overlay absolute. Relative ones start at the bundle, as
// for bind mounts.
func overlayDirs(params []bundle.MountParam, bundlePath string) []bundle.MountParam {
	absolute := func(dir string) string {
		if dir == "" || filepath.IsAbs(dir) {
			return dir
		}
		return bundlePath + "/" + dir
	}
	out := make([]bundle.MountParam, len(params))
	for i, p := range params {
		switch p.Key {
		case "upperdir", "workdir", "lowerdir+", "datadir+":
			p.Value = absolute(p.Value)
		case "lowerdir":
			layers := splitLayers(p.Value)
			for j, l := range layers {
				if l != "" && !filepath.IsAbs(l) {
					layers[j] = strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(bundlePath) + "/" + l
				}
			}
			p.Value = strings.Join(layers, ":")
		}
		out[i] = p
	}
	return out
}

// OverlayDirs returns the directories in the parameters of an overlay, for a bundle.
func OverlayDirs(params []bundle.MountParam, bundlePath string) (dirs []string) {
	unescape := strings.NewReplacer(`\\`, `\`, `\:`, ":", `\,`, ",")
	for _, p := range overlayDirs(params, bundlePath) {
		switch p.Key {
		case "upperdir", "workdir", "lowerdir+", "datadir+":
			dirs = append(dirs, p.Value)
		case "lowerdir":
			for _, l := range splitLayers(p.Value) {
				if l != "" {
					dirs = append(dirs, unescape.Replace(l))
				}
			}
		}
	}
	return dirs
}

// checkLayers refuses directories of an overlay that a symbolic link of the rootfs leads to.
//
// Attacker: the image. The kernel looks these paths up on the host, and would follow the links of the
// rootfs to wherever they lead there.
func (c *compiler) checkLayers(m *mount) {
	if m.Type != "overlay" {
		return
	}
	for _, dir := range OverlayDirs(m.Params, c.in.Bundle.Path) {
		if found, err := c.in.Host.Look(dir); err != nil || !found.Links {
			continue
		}
		_, inside := below(c.in.Bundle.Rootfs, dir)
		if !inside && c.in.Host.Follow != nil {
			_, inside = c.in.Host.Follow(dir, c.in.Bundle.Rootfs)
		}
		if inside {
			c.fail(m.subject.Where(), "%s: the directory %q is in the rootfs, and a symbolic link there leads to it", m.subject.Subject(), dir)
		}
	}
}

// splitLayers splits a lowerdir at unescaped colons. Two colons before a data-only layer give an
// empty layer between them.
func splitLayers(dirs string) []string {
	var layers []string
	start := 0
	for i := 0; i < len(dirs); i++ {
		switch dirs[i] {
		case '\\':
			i++
		case ':':
			layers = append(layers, dirs[start:i])
			start = i + 1
		}
	}
	return append(layers, dirs[start:])
}

// overlayLayers splits the layers of an overlay into separate parameters, which needs Linux 6.7.
func overlayLayers(params []bundle.MountParam) []bundle.MountParam {
	var out []bundle.MountParam
	unescape := strings.NewReplacer(`\\`, `\`, `\:`, ":", `\,`, ",")
	for _, p := range params {
		if p.Key != "lowerdir" || !p.HasValue {
			out = append(out, p)
			continue
		}
		key := "lowerdir+"
		for _, l := range splitLayers(p.Value) {
			if l == "" {
				key = "datadir+"
				continue
			}
			out = append(out, bundle.MountParam{Key: key, Value: unescape.Replace(l), HasValue: true})
		}
	}
	return out
}
