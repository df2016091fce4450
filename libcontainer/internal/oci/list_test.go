package oci

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestParseList(t *testing.T) {
	for list, want := range map[string][]int{
		"": nil, " \n": nil, "0": {0}, "0-3,7\n": {0, 1, 2, 3, 7}, " 7 , 1-2": {1, 2, 7}, "64": {64}, "65535": {65535}, "3,3-4": {3, 4},
	} {
		if set, err := ParseList(list); err != nil || !slices.Equal(set.Sorted(), want) {
			t.Errorf("%q: %v, %v", list, set, err)
		}
	}
	for _, list := range []string{",", "1,", "1,,2", "a", "-1", "+1", "2-1", "1-", "1-2-3", "0 - 3", "65536", "0-4294967295", "18446744073709551616", "0x1", "1;2"} {
		if set, err := ParseList(list); err == nil || !strings.Contains(err.Error(), strconv.Quote(list)) {
			t.Errorf("%q: %v, %v", list, set, err)
		}
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		list, other string
		want        bool
	}{{"", "", true}, {"", "1", true}, {"1", "", false}, {"0-3", "0-7", true}, {"0-7", "0-3", false}, {"64", "0-63", false}, {"1,200", "0-300", true}} {
		set, _ := ParseList(c.list)
		other, _ := ParseList(c.other)
		if got := set.Within(other); got != c.want {
			t.Errorf("%q within %q: %t", c.list, c.other, got)
		}
	}
}

func TestBytes(t *testing.T) {
	for list, want := range map[string][]byte{"": nil, "0": {1}, "0-3,7": {0x8f}, "8": {0, 1}, "64-65": {0, 0, 0, 0, 0, 0, 0, 0, 3}} {
		set, _ := ParseList(list)
		if got := set.Bytes(); !slices.Equal(got, want) {
			t.Errorf("%q: %v", list, got)
		}
	}
}

// FuzzParseList compares a parsed set with the numbers in the list.
func FuzzParseList(f *testing.F) {
	f.Add("0-3,7")
	f.Add(" 1 , 65535")
	f.Add("3-1")
	f.Add("")
	f.Fuzz(func(t *testing.T, list string) {
		set, err := ParseList(list)
		if err != nil {
			return
		}
		if len(set) > maxNumber/64 || len(set) > 0 && set[len(set)-1] == 0 {
			t.Errorf("%q has %d words: %v", list, len(set), set)
		}
		var numbers []string
		for n := range len(set) * 64 {
			if set[n/64]&(1<<(n%64)) != 0 {
				numbers = append(numbers, strconv.Itoa(n))
			}
		}
		again, err := ParseList(strings.Join(numbers, ","))
		if err != nil || !slices.Equal(again, set) || !set.Within(again) || len(set.Sorted()) != len(numbers) {
			t.Errorf("%q: %v and %v, %v", list, set, again, err)
		}
		if b := set.Bytes(); len(b) > maxNumber/8 || len(b) > 0 && b[len(b)-1] == 0 {
			t.Errorf("%q: %v", list, b)
		}
	})
}
