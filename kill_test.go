package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseSignal(t *testing.T) {
	for s, want := range map[string]unix.Signal{"0": 0, "9": 9, "KILL": 9, "sigkill": 9, "SIGTERM": 15, "RTMIN": 34, "SIGRTMIN+3": 37, "RTMAX-1": 63, "64": 64} {
		if got, err := parseSignal(s); err != nil || got != want {
			t.Errorf("%s is %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "65", "-1", "SIG", "RTMIN-1", "RTMAX+1", "RTMIN+99999999999999999999", "KILL ", "0x9", "1.0"} {
		if got, err := parseSignal(s); err == nil {
			t.Errorf("%q is taken for %d", s, got)
		}
	}
}

// FuzzParseSignal: an accepted signal exists in the kernel.
func FuzzParseSignal(f *testing.F) {
	f.Add("SIGRTMIN+3")
	f.Add("9")
	f.Add("term")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseSignal(s); err == nil && (n < 0 || n > sigrtmax) {
			t.Errorf("%q is taken for %d", s, n)
		}
	})
}
