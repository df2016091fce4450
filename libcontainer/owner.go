package libcontainer

import (
	"os/user"
	"strconv"
)

// ownerName returns the name of a user of the host, or "#UID" when there is none.
func ownerName(uid int) string {
	if uid == 0 {
		return "root"
	}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "#" + strconv.Itoa(uid)
}
