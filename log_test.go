package main

import "testing"

// TestPrintable: a message has one line and no control characters.
func TestPrintable(t *testing.T) {
	for message, want := range map[string]string{
		`create "x": größer als 1 TiB ✓`: `create "x": größer als 1 TiB ✓`,
		"a\nb\r\tc":                      `a\nb\r\tc`,
		"\x1b]0;title\a":                 `\x1b]0;title\a`,
		"\xff\x9b31m":                    `\xff\x9b31m`,
		"\u009b31m \u202e":               `\u009b31m \u202e`,
		"it's '\x00'":                    `it's '\x00'`,
		"\ufffd":                         "\ufffd",
	} {
		if got := printable(message); got != want {
			t.Errorf("%q: %q, not %q", message, got, want)
		}
	}
}
