package oci

import (
	"slices"
	"strings"
)

// Table gives words a meaning. It is for words of a configuration, of which there are few: unlike
// a map it is part of the program, and costs nothing in commands that do not look at it.
type Table[K ~string, V any] []struct {
	Word    K
	Meaning V
}

// Find is the meaning of a word; ok is false for one that the table does not have.
func (t Table[K, V]) Find(word K) (meaning V, ok bool) {
	for i := range t {
		if t[i].Word == word {
			return t[i].Meaning, true
		}
	}
	return meaning, false
}

// Of is the meaning of a word, the zero value for one that the table does not have.
func (t Table[K, V]) Of(word K) V {
	meaning, _ := t.Find(word)
	return meaning
}

// Has reports whether the table has a word.
func (t Table[K, V]) Has(word K) bool {
	_, ok := t.Find(word)
	return ok
}

// Words are all words, sorted.
func (t Table[K, V]) Words() []string {
	words := make([]string, len(t))
	for i := range t {
		words[i] = string(t[i].Word)
	}
	slices.Sort(words)
	return words
}

// String lists the words for an error.
func (t Table[K, V]) String() string { return strings.Join(t.Words(), ", ") }
