package compile

import (
	"testing"

	"coracle/libcontainer/internal/initprog/program"
)

// TestScratch: no helper gets a word that its caller still uses. A block restores its note, and
// its words are used again.
func TestScratch(t *testing.T) {
	c := &compiler{Builder: program.NewBuilder(3)}
	c.Describe(program.Note{What: "outer"})
	var outer, inner, next program.Word
	c.step(program.Note{What: "step"}, func() {
		outer = c.take("tmp")
		func() {
			defer c.block()()
			c.Describe(program.Note{What: "helper"})
			inner = c.take("tmp")
		}()
		if note := c.Note().What; note != "step" {
			t.Errorf("the note after a helper is %q", note)
		}
		next = c.take("tmp")
	})
	if outer == inner || outer == next {
		t.Error("a word was given twice")
	}
	if next != inner {
		t.Error("the word of a block that has ended was not used again")
	}
	if note := c.Note().What; note != "outer" {
		t.Errorf("the note after a block is %q", note)
	}
	defer func() {
		if recover() == nil {
			t.Error("a word outside of a block")
		}
	}()
	c.take("tmp")
}
