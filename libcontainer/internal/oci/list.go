package oci

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Numbers is a set of small numbers, of CPUs or memory nodes: number n is bit n%64 of word n/64.
// The last word is never 0.
type Numbers []uint64

// maxNumber limits the numbers in a list. No machine has as many CPUs or nodes.
const maxNumber = 1 << 16

// ParseList parses a list like 0-3,7 (cpuset(7), "List format"). An empty list gives an empty
// set.
func ParseList(list string) (Numbers, error) {
	var set Numbers
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		first, err := strconv.ParseUint(from, 10, 32)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseUint(to, 10, 32)
		}
		if err != nil || last < first || last >= maxNumber {
			return nil, fmt.Errorf("%q is not a list of numbers and ranges, like 0-3,7", list)
		}
		if more := int(last/64) + 1 - len(set); more > 0 {
			set = append(set, make([]uint64, more)...)
		}
		// A word at a time: a list may have as many ranges as it has room for.
		for w := first / 64; w <= last/64; w++ {
			bits := ^uint64(0)
			if w == first/64 {
				bits &= ^uint64(0) << (first % 64)
			}
			if w == last/64 {
				bits &= ^uint64(0) >> (63 - last%64)
			}
			set[w] |= bits
		}
	}
	return set, nil
}

// Within reports whether the set is a subset of other.
func (s Numbers) Within(other Numbers) bool {
	for i, word := range s {
		if i < len(other) {
			word &^= other[i]
		}
		if word != 0 {
			return false
		}
	}
	return true
}

// Sorted returns the numbers in ascending order.
func (s Numbers) Sorted() (numbers []int) {
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			numbers = append(numbers, i*64+bits.TrailingZeros64(word))
		}
	}
	return numbers
}

// Bytes returns the set as bytes: number n is bit n%8 of byte n/8. The last byte is not 0.
func (s Numbers) Bytes() (b []byte) {
	for _, word := range s {
		for range 8 {
			b = append(b, byte(word))
			word >>= 8
		}
	}
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}
