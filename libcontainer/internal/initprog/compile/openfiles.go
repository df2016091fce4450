package compile

import (
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci/bundle"
)

// manyFiles is the number of open files from which on the limit of a careful caller may
// not be enough.
const manyFiles = 16

// planOpenFiles finds out whether the trees of bind mounts can all be open at once, which is
// quickest. If not, the runtime opens each when the program is about to mount it.
func (c *compiler) planOpenFiles() {
	c.files = len(c.in.Preserved)
	for _, m := range c.list {
		if m.Bind && m.isMount() {
			c.files++
			if m.IDMap != bundle.NoIDMap {
				c.files++
			}
		}
	}
	if c.files < manyFiles || c.in.Host.OpenFiles == nil || c.in.Host.OpensNothing {
		return
	}
	// A new process can need two for each while they are put into their places.
	const others = 64
	c.later = uint64(2*c.files+others) > c.in.Host.OpenFiles()
}

// raiseOpenFiles lets the program have as many open files as it may.
func (c *compiler) raiseOpenFiles() {
	if c.files < manyFiles {
		return
	}
	c.note(stepRaiseOpenFiles, "mounts", "raise the limit of open files for the set-up", "")
	c.openFiles = c.NewRlimit("openfiles")
	raised := c.NewRlimit("raised")
	c.GetRlimit(unix.RLIMIT_NOFILE, c.openFiles)
	c.CopyHard(raised, c.openFiles)
	c.SetRlimit(unix.RLIMIT_NOFILE, raised)
}

// restoreOpenFiles puts the limit back, unless the runtime has set one by now.
func (c *compiler) restoreOpenFiles() {
	if c.openFiles == (program.Rlimit{}) {
		return
	}
	if c.spec.Process != nil {
		for _, l := range c.spec.Process.Rlimits {
			if l.Type == "RLIMIT_NOFILE" {
				return
			}
		}
	}
	c.note(stepRestoreOpenFiles, "mounts", "put the limit of open files back", "")
	c.SetRlimit(unix.RLIMIT_NOFILE, c.openFiles)
}
