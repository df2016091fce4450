package compile

import (
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci/bundle"
)

// manyFiles is the number of open files from which on a low limit of the caller may be too low.
const manyFiles = 16

// planOpenFiles finds out whether the trees of all bind mounts can be open at once, which is
// fastest. If not, the runtime opens each tree when the program is about to mount it.
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
	// While descriptors are moved to their places, a new process can need two for each.
	const others = 64
	c.later = uint64(2*c.files+others) > c.in.Host.OpenFiles()
}

// raiseOpenFiles raises the program's limit of open files to the maximum.
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

// restoreOpenFiles restores the limit, unless the runtime has set one meanwhile.
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
