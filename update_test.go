package main

import (
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "-1": -1, "1048576": 1 << 20, "64m": 64 << 20, "64M": 64 << 20, "64mb": 64 << 20, "64MiB": 64 << 20, "1 GiB": 1 << 30, "1.5k": 1536,
		"5b": 5, "2t": 2 << 40, "1p": 1 << 50, "8191p": 8191 << 50,
	} {
		if got, err := parseSize(s); err != nil || got != want {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "-2", "m", "1x", "1mm", "1kib2", "1e3", "nan", "inf", "0x10", "1.2.3", "8192p", "9223372036854775808", "-1m", "--1", "1,5m"} {
		if got, err := parseSize(s); err == nil {
			t.Errorf("%q is %d", s, got)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	f.Add("1.5GiB")
	f.Add("9999999999999999.9p")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseSize(s); err == nil && n < -1 {
			t.Errorf("%q is %d", s, n)
		}
	})
}

// TestFirstMistake: of two invalid values the same one is reported each time.
func TestFirstMistake(t *testing.T) {
	for range 20 {
		called, args := arrange([]string{"coracle", "update", "--pids-limit", "x", "--cpuset-cpus", "0", "--cpu-period", "y", "--memory-swap", "z", "id"})
		err := newApp(called).Run(args)
		if err == nil || !strings.HasPrefix(err.Error(), `--memory-swap "z"`) {
			t.Fatal(err)
		}
	}
}

func TestReadResources(t *testing.T) {
	r, err := readResources("-", strings.NewReader(`{"memory": {"limit": 5}, "cpu": {"cpus": "0"}}`))
	if err != nil || *r.Memory.Limit != 5 || r.CPU.Cpus != "0" {
		t.Errorf("%+v, %v", r, err)
	}
	for _, bad := range []string{"", "{", `{"memory": 5}`, `{"memory": {"limit": "5"}}`, "[]"} {
		if _, err := readResources("-", strings.NewReader(bad)); err == nil || !strings.HasPrefix(err.Error(), "update: resources: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
