package bundle

import (
	"path"
	"strings"
	"testing"
)

func TestSysctlPath(t *testing.T) {
	for key, want := range map[string]string{
		"net.ipv4.ip_forward":              "net/ipv4/ip_forward",
		"net/ipv4/ip_forward":              "net/ipv4/ip_forward",
		"net.ipv4.conf.eth0/100.rp_filter": "net/ipv4/conf/eth0.100/rp_filter",
		"net/ipv4/conf/eth0.100/rp_filter": "net/ipv4/conf/eth0.100/rp_filter",
		"kernel":                           "kernel",
	} {
		if got, err := SysctlPath(key); err != nil || got != want {
			t.Errorf("%s is %s, %v", key, got, err)
		}
	}
	for _, key := range []string{"", ".", "/", "net..ipv4", "net/../kernel", "net.ipv4.", "/net/ipv4", "a/.", "net.ip\x00v4", "net ipv4"} {
		if got, err := SysctlPath(key); err == nil {
			t.Errorf("%q is taken for %s", key, got)
		}
	}
}

// FuzzSysctlPath: the result is a path below /proc/sys, and SysctlPath keeps it as it is when its
// first separator is a slash.
func FuzzSysctlPath(f *testing.F) {
	f.Add("net.ipv4.conf.eth0/1.rp_filter")
	f.Add("net/../kernel/pid_max")
	f.Add("kernel./etc")
	f.Fuzz(func(t *testing.T, key string) {
		p, err := SysctlPath(key)
		if err != nil {
			return
		}
		if path.Clean("/proc/sys/"+p) != "/proc/sys/"+p || strings.ContainsAny(p, "\x00\n") || strings.Count(p, "/") != strings.Count(path.Clean(p), "/") {
			t.Errorf("%q is taken for %q", key, p)
		}
		if strings.Contains(p, "/") {
			if again, err := SysctlPath(p); err == nil && strings.IndexAny(p, "./") == strings.Index(p, "/") && again != p {
				t.Errorf("%q comes back as %q", p, again)
			}
		}
		_, _ = SysctlNamespace(p)
	})
}
