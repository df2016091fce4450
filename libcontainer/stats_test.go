package libcontainer

import (
	"reflect"
	"testing"
)

func TestParseNetDev(t *testing.T) {
	got := parseNetDev("Inter-|   Receive  |  Transmit\n face |bytes    packets errs\n" +
		"    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n" +
		"eth0:1:17 18 19 20 0 0 0 0 21 22 23 24 0 0 0 0\n" +
		"short: 1 2\n")
	want := []NetworkInterface{{"lo", 1, 2, 3, 4, 9, 10, 11, 12}, {"eth0:1", 17, 18, 19, 20, 21, 22, 23, 24}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}
