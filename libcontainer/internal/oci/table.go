package oci

import (
	"slices"
	"strings"
)

// Table maps words of a configuration to their meaning. It is for few words: unlike a map it
// needs no initialization, so it costs nothing in commands that do not use it.
type Table[K ~string, V any] []struct {
	Word    K
	Meaning V
}

// Find returns the meaning of a word; ok is false when the table does not have it.
func (t Table[K, V]) Find(word K) (meaning V, ok bool) {
	for i := range t {
		if t[i].Word == word {
			return t[i].Meaning, true
		}
	}
	return meaning, false
}

// Of returns the meaning of a word, the zero value when the table does not have it.
func (t Table[K, V]) Of(word K) V {
	meaning, _ := t.Find(word)
	return meaning
}

// Has reports whether the table has a word.
func (t Table[K, V]) Has(word K) bool {
	_, ok := t.Find(word)
	return ok
}

// Words returns all words, sorted.
func (t Table[K, V]) Words() []string {
	words := make([]string, len(t))
	for i := range t {
		words[i] = string(t[i].Word)
	}
	slices.Sort(words)
	return words
}

// String returns the words as a list for an error.
func (t Table[K, V]) String() string { return strings.Join(t.Words(), ", ") }
