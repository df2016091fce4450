package golden

import "testing"

func TestDifference(t *testing.T) {
	for _, c := range []struct{ want, got, text string }{
		{"a\nb\nc\n", "a\nx\nc\n", "line 2:\n  a\n- b\n- c\n- \n+ x\n+ c\n+ \n"},
		{"a\n", "a\nb\n", "line 2:\n  a\n- \n+ b\n+ \n"},
		{"x", "", "line 1:\n- x\n+ \n"},
	} {
		if text := difference(c.want, c.got); text != c.text {
			t.Errorf("%q, %q: %q", c.want, c.got, text)
		}
	}
}
