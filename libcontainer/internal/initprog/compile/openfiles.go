package compile

import (
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
)

// manyFiles is the number of open files from which on the usual limit, 1,024, may not
// be enough.
const manyFiles = 512

// raiseOpenFiles lets the program have as many open files as it may: each bind mount
// comes as one.
func (c *compiler) raiseOpenFiles() {
	files := 0
	for _, m := range c.list {
		if m.Bind && m.isMount() {
			files++
		}
	}
	if files < manyFiles {
		return
	}
	c.note("mounts", "raise the limit of open files for the set-up", "")
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
	c.note("mounts", "put the limit of open files back", "")
	c.SetRlimit(unix.RLIMIT_NOFILE, c.openFiles)
}
