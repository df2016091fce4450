package systemd

import (
	"fmt"
	"time"
)

// Version is the version of systemd, by its own answer, for which it has the given time.
func (i Instance) Version(timeout time.Duration) (string, error) {
	c, err := dial(i.Addresses, timeout)
	if err != nil {
		return "", fmt.Errorf("connect to systemd: %w", err)
	}
	defer c.close()
	reply, err := c.answer(c.queue(destination, managerPath, "org.freedesktop.DBus.Properties", "Get", manager, "Version"))
	if err != nil {
		return "", fmt.Errorf("ask systemd for its version: %w", err)
	}
	if len(reply.body) == 0 {
		return "", errMalformed
	}
	version, ok := reply.body[0].(string)
	if !ok {
		return "", errMalformed
	}
	return version, nil
}
