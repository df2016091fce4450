package libcontainer

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// ownerName is the name of a user of the host, or "#UID" for one without a name.
func ownerName(uid int) string {
	if uid == 0 {
		return "root"
	}
	//allow:path the host's file, for a name to print
	f, err := os.Open("/etc/passwd")
	if err == nil {
		defer f.Close()
		want := strconv.Itoa(uid)
		for s := bufio.NewScanner(f); s.Scan(); {
			if fields := strings.Split(s.Text(), ":"); len(fields) > 2 && fields[2] == want {
				return fields[0]
			}
		}
	}
	return "#" + strconv.Itoa(uid)
}
