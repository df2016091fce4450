package linux

import (
	"strings"
	"testing"
)

func TestSharedMount(t *testing.T) {
	const table = `21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:5 / /dev rw,nosuid - devtmpfs shared:9 rw
23 21 0:6 / /vol rw master:1 propagate_from:2 - tmpfs tmpfs rw
24 21 0:7 / /shared:1 rw master:3 shared:4 unbindable - tmpfs tmpfs rw
`
	for number, shared := range map[uint64]bool{21: true, 22: false, 23: false, 24: true, 2: true} {
		if got, err := sharedMount(strings.NewReader(table), number); err != nil || got != shared {
			t.Errorf("%d: %v, %v", number, got, err)
		}
	}
}
