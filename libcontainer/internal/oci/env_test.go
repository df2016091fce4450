package oci

import (
	"slices"
	"strings"
	"testing"
)

func TestEnv(t *testing.T) {
	env := Env{"A=1", "AB=2", "A=3", "C", "D="}
	for name, want := range map[string]string{"A": "3", "AB": "2", "D": ""} {
		if value, ok := env.Lookup(name); !ok || value != want {
			t.Errorf("%s: %q, %t", name, value, ok)
		}
	}
	for _, name := range []string{"C", "B", "", "A=1"} {
		if value, ok := env.Lookup(name); ok {
			t.Errorf("%s: %q", name, value)
		}
	}
	for name, c := range map[string]struct{ got, want Env }{
		"with":      {env.With("A", "4"), Env{"AB=2", "C", "D=", "A=4"}},
		"without":   {env.Without("AB"), Env{"A=1", "A=3", "C", "D="}},
		"as before": {env, Env{"A=1", "AB=2", "A=3", "C", "D="}},
		"of none":   {Env(nil).With("A", "1"), Env{"A=1"}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %q", name, c.got)
		}
	}
}

func TestLastOfEach(t *testing.T) {
	for _, c := range []struct{ env, want []string }{
		{nil, nil},
		{[]string{"A=1"}, []string{"A=1"}},
		{[]string{"A=1", "B=2", "A=3"}, []string{"B=2", "A=3"}},
		{[]string{"A=1", "AB=2", "A=3", "A="}, []string{"AB=2", "A="}},
		{[]string{"A=x=y", "A=2", "B"}, []string{"A=2", "B"}},
		{[]string{"A", "A=1", "A"}, []string{"A"}},
	} {
		given := slices.Clone(c.env)
		if got := Env(c.env).LastOfEach(); !slices.Equal(got, c.want) || !slices.Equal(c.env, given) {
			t.Errorf("%q: %q", given, got)
		}
	}
}

func TestAbsoluteEnv(t *testing.T) {
	for in, want := range map[string]string{
		"PATH=/bin:/usr/bin":                       "PATH=/bin:/usr/bin",
		"PATH=:/bin::usr/bin:.:/a":                 "PATH=/bin:/a",
		"PATH=":                                    "",
		"PATH=.":                                   "",
		"LD_LIBRARY_PATH=lib;/lib":                 "LD_LIBRARY_PATH=/lib",
		"LD_LIBRARY_PATH=$ORIGIN/../lib:$LIB/x":    "LD_LIBRARY_PATH=$ORIGIN/../lib",
		"LD_PRELOAD=libc.so lib/evil.so /lib/x.so": "LD_PRELOAD=libc.so:/lib/x.so",
		"LD_PRELOAD=/a.so /b.so":                   "LD_PRELOAD=/a.so /b.so",
		"LD_DEBUG=libs":                            "LD_DEBUG=libs",
		"PYTHONPATH=src":                           "",
		"PERL5LIB=lib:/lib":                        "PERL5LIB=/lib",
		"BASH_ENV=rc":                              "",
		"NAME=./x":                                 "NAME=./x",
		"odd":                                      "odd",
	} {
		got := strings.Join(Env{in}.Absolute(), "|")
		if got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
