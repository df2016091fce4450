package compile

import (
	"strconv"

	"coracle/libcontainer/internal/initprog/program"
)

// scratch are words for temporary values of op helpers. The words of a block are free after it,
// so a program with thousands of mounts needs no more words than one with a few.
type scratch struct {
	words []scratchWord
	depth int // number of open blocks
}

type scratchWord struct {
	name string
	word program.Word
	used int // the depth of the block that uses it, 0 for none
}

// block begins a block, which ends with the returned function. At the end its scratch words are
// free, and the previous note is restored.
func (c *compiler) block() (end func()) {
	note := c.Note()
	c.scratch.depth++
	return func() {
		words := c.scratch.words
		for i := range words {
			if words[i].used == c.scratch.depth {
				words[i].used = 0
			}
		}
		c.scratch.depth--
		c.Restore(note)
	}
}

// step is a block whose ops a note explains.
func (c *compiler) step(n program.Note, ops func()) {
	defer c.block()()
	c.Describe(n)
	ops()
}

// take returns a scratch word for the innermost block that no enclosing block uses.
func (c *compiler) take(name string) program.Word {
	s := &c.scratch
	if s.depth == 0 {
		panic("compile: a scratch word outside of a block")
	}
	shown := name
	for i, same := 0, 1; i < len(s.words); i++ {
		w := &s.words[i]
		switch {
		case w.name != name:
		case w.used == 0:
			w.used = s.depth
			return w.word
		default:
			same++
			shown = name + strconv.Itoa(same)
		}
	}
	w := c.Word(shown, -1)
	s.words = append(s.words, scratchWord{name, w, s.depth})
	return w
}
