package linux

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"strconv"
)

// SharedMount reports whether a mount that the process sees, by its number, is shared, so that
// what is mounted in it appears in other mounts. One that it does not see counts as shared.
func (p Process) SharedMount(number uint64) (bool, error) {
	//allow:path the host's /proc
	f, err := os.Open(p.Path("mountinfo"))
	if err != nil {
		return true, err
	}
	defer f.Close()
	return sharedMount(f, number)
}

// sharedMount looks a mount up in a table of mounts (proc_pid_mountinfo(5)): the number, four
// fields more, the options, and tags up to a "-".
func sharedMount(table io.Reader, number uint64) (bool, error) {
	want := strconv.AppendUint(nil, number, 10)
	lines := bufio.NewScanner(table)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := bytes.Fields(lines.Bytes())
		if len(fields) < 6 || !bytes.Equal(fields[0], want) {
			continue
		}
		for _, tag := range fields[6:] {
			if len(tag) == 1 && tag[0] == '-' {
				return false, nil
			}
			if bytes.HasPrefix(tag, []byte("shared:")) {
				return true, nil
			}
		}
		return false, nil
	}
	return true, lines.Err()
}
