package libcontainer

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// follow follows the symbolic links of a path until it enters the rootfs, and returns the rest of
// the path. If the path only passes through the rootfs, rel begins with ".." and ok is false;
// links outside are followed as the kernel does.
//
// The host may have the rootfs at other paths as well: a bind mount of it, or the directories of
// an overlay. The links there are the image's, too.
func follow(p, rootfs string) (rel string, ok bool) {
	trees := sameTrees{}
	trees.add(rootfs)
	rel, ok, links := trees.follow(p, rootfs)
	if !ok && links && trees.addLayers(rootfs) {
		rel, ok, _ = trees.follow(p, rootfs)
	}
	return rel, ok
}

// fileID identifies a directory.
type fileID struct{ dev, ino uint64 }

// sameTrees are the directories that contain the tree of a rootfs.
type sameTrees map[fileID]bool

func (t sameTrees) add(dir string) {
	var st unix.Stat_t
	//allow:path a directory of the host, to know it again
	if unix.Stat(dir, &st) == nil {
		t[fileID{st.Dev, st.Ino}] = true
	}
}

// has reports whether a directory, given by a path without links, is one of them.
func (t sameTrees) has(dir string) bool {
	var st unix.Stat_t
	//allow:path a directory of the host, which is only compared
	return unix.Lstat(dir, &st) == nil && t[fileID{st.Dev, st.Ino}]
}

// addLayers adds the directories of an overlay; it returns false when there are none.
func (t sameTrees) addLayers(rootfs string) bool {
	var fs unix.Statfs_t
	//allow:path the rootfs on the host
	if unix.Statfs(rootfs, &fs) != nil || fs.Type != unix.OVERLAYFS_SUPER_MAGIC {
		return false
	}
	infos, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("overlay"))
	if err != nil {
		return false
	}
	before := len(t)
	for _, info := range infos {
		// The rootfs may lie below the overlay's mount point.
		//allow:prefix the end of the component is looked at, too
		if rest, ok := strings.CutPrefix(rootfs, strings.TrimSuffix(info.Mountpoint, "/")); ok && (rest == "" || rest[0] == '/') {
			for _, dir := range layers(info.VFSOptions) {
				t.add(dir + rest)
			}
		}
	}
	return len(t) > before
}

// layers returns the directories in the options of an overlay, in the format of mountinfo.
func layers(options string) (dirs []string) {
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		value = unescape(value)
		switch key {
		case "upperdir", "lowerdir+", "datadir+":
			dirs = append(dirs, value)
		case "lowerdir":
			const colon = "\x00" // replaces a colon in a name
			for dir := range strings.SplitSeq(strings.ReplaceAll(value, `\:`, colon), ":") {
				dirs = append(dirs, strings.ReplaceAll(dir, colon, ":"))
			}
		}
	}
	return dirs
}

// unescape replaces the octal escapes of mountinfo (proc_pid_mountinfo(5)).
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// follow is the function of this name. links reports whether it followed links that may be the
// image's.
func (t sameTrees) follow(p, rootfs string) (rel string, ok, links bool) {
	_, links = walkLinks(p, func(dir, rest string) bool {
		if dir != rootfs && !t.has(dir) {
			return false
		}
		rel = strings.TrimLeft(rest, "/")
		for strings.HasPrefix(rel, "./") {
			rel = strings.TrimLeft(rel[2:], "/")
		}
		ok = rel != ".." && !strings.HasPrefix(rel, "../")
		rel = filepath.Clean(rel)
		return ok
	})
	if rel == "." {
		rel = ""
	}
	return rel, ok, links
}

// realPath resolves symbolic links as far as the path exists.
func realPath(p string) string {
	end, _ := walkLinks(p, func(string, string) bool { return false })
	return end
}

// walkLinks resolves a path of the host, link by link, and returns the result. It stops when
// reached returns true. reached gets the current place and the rest of the path. links reports
// whether it followed a link outside of the directories in which systems have links.
func walkLinks(p string, reached func(dir, rest string) bool) (end string, links bool) {
	const maxLinks = 40 // as in the kernel
	at, n := "/", 0
	for !reached(at, p) && p != "" {
		var name string
		name, p, _ = strings.Cut(p, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		//allow:path a path of the host that the caller has named
		target, err := os.Readlink(next)
		if err != nil || n == maxLinks {
			at = next
			continue
		}
		n++
		links = links || at != "/" && at != "/var" && at != "/run"
		p = target + "/" + p
		if filepath.IsAbs(target) {
			at = "/"
		}
	}
	return at, links
}
