package compile

import (
	"slices"
	"testing"
)

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
		if got := lastOfEach(c.env); !slices.Equal(got, c.want) || !slices.Equal(c.env, given) {
			t.Errorf("%q: %q", given, got)
		}
	}
}
