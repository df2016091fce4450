package libcontainer

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// follow follows the symbolic links of a path until it comes into the rootfs, and returns what
// is left then. That begins with ".." when it leads through the rootfs and out of it. One that
// leaves the rootfs at once is followed further, as the kernel does.
//
// The host may have the rootfs at other paths as well: a bind mount of it, or the directories
// that an overlay is made of. The links there are the image's, too.
func follow(p, rootfs string) (rel string, ok bool) {
	trees := sameTrees{}
	trees.add(rootfs)
	rel, ok, links := trees.follow(p, rootfs)
	if !ok && links && trees.addLayers(rootfs) {
		rel, ok, _ = trees.follow(p, rootfs)
	}
	return rel, ok
}

// fileID is what tells a directory from all others.
type fileID struct{ dev, ino uint64 }

// sameTrees are the directories that the tree of a rootfs is in.
type sameTrees map[fileID]bool

func (t sameTrees) add(dir string) {
	var st unix.Stat_t
	//allow:path a directory of the host, to know it again
	if unix.Stat(dir, &st) == nil {
		t[fileID{st.Dev, st.Ino}] = true
	}
}

// has reports whether a directory, by a path without links, is one of them.
func (t sameTrees) has(dir string) bool {
	var st unix.Stat_t
	//allow:path a directory of the host, which is only compared
	return unix.Lstat(dir, &st) == nil && t[fileID{st.Dev, st.Ino}]
}

// addLayers adds the directories that an overlay is made of; false when there are none.
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
		// That of the rootfs may be at a directory above.
		//allow:prefix the end of the component is looked at, too
		if rest, ok := strings.CutPrefix(rootfs, strings.TrimSuffix(info.Mountpoint, "/")); ok && (rest == "" || rest[0] == '/') {
			for _, dir := range layers(info.VFSOptions) {
				t.add(dir + rest)
			}
		}
	}
	return len(t) > before
}

// layers are the directories in the options of an overlay, as a table of mounts has them.
func layers(options string) (dirs []string) {
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		value = unescape(value)
		switch key {
		case "upperdir", "lowerdir+", "datadir+":
			dirs = append(dirs, value)
		case "lowerdir":
			const colon = "\x00" // for one that is part of a name
			for dir := range strings.SplitSeq(strings.ReplaceAll(value, `\:`, colon), ":") {
				dirs = append(dirs, strings.ReplaceAll(dir, colon, ":"))
			}
		}
	}
	return dirs
}

// unescape replaces the octal escapes of a table of mounts (proc_pid_mountinfo(5)).
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

// follow is the function of this name. links reports whether it came through links that an image
// might have.
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

// realPath is a path without symbolic links, as far as it exists.
func realPath(p string) string {
	end, _ := walkLinks(p, func(string, string) bool { return false })
	return end
}

// walkLinks walks a path of the host, link by link, and returns where that ends. It stops
// where reached returns true, which gets the place and what is left of the path. links reports
// whether it followed any that is not in one of the directories where systems have theirs.
func walkLinks(p string, reached func(dir, rest string) bool) (end string, links bool) {
	const maxLinks = 40 // as of the kernel
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
