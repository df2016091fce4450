package systemd

import (
	"fmt"
	"strconv"
	"strings"

	"coracle/libcontainer/internal/oci"
)

// words are the type keywords of the GVariant text format, which may precede a value.
var words = oci.Table[string, string]{{"b", "boolean"}, {"i", "int32"}, {"u", "uint32"}, {"t", "uint64"}, {"s", "string"}}

// parseVariant reads a value of a type, one of b, i, u, t, s and as, in the text format of
// GVariant: true, 5, 'text', ['a', 'b']. The value may name its type: uint64 5, @t 5.
func parseVariant(text, kind string) (any, error) {
	p := parser{strings.TrimSpace(text)}
	v, ok := p.typed(kind)
	if !ok || p.rest != "" {
		return nil, fmt.Errorf("%q is not a value of the D-Bus type %q in the text format of GVariant", text, kind)
	}
	return v, nil
}

type parser struct{ rest string }

// skip skips a prefix and the blanks after it.
func (p *parser) skip(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	if ok {
		p.rest = strings.TrimLeft(rest, " \t\n")
	}
	return ok
}

func (p *parser) typed(kind string) (any, bool) {
	if !p.skip("@" + kind + " ") {
		if w := words.Of(kind); w != "" {
			p.skip(w + " ")
		}
	}
	switch kind {
	case "b":
		switch p.word() {
		case "true":
			return true, true
		case "false":
			return false, true
		}
	case "i":
		n, err := strconv.ParseInt(p.word(), 0, 32)
		return int32(n), err == nil
	case "u":
		n, err := strconv.ParseUint(p.word(), 0, 32)
		return uint32(n), err == nil
	case "t":
		n, err := strconv.ParseUint(p.word(), 0, 64)
		return n, err == nil
	case "s":
		return p.quoted()
	case "as":
		return p.list()
	}
	return nil, false
}

// word takes the text up to the next separator.
func (p *parser) word() string {
	n := strings.IndexAny(p.rest, " \t\n,]")
	if n < 0 {
		n = len(p.rest)
	}
	w := p.rest[:n]
	p.rest = strings.TrimLeft(p.rest[n:], " \t\n")
	return w
}

// quoted takes a string in single or double quotes.
func (p *parser) quoted() (string, bool) {
	if p.rest == "" || p.rest[0] != '\'' && p.rest[0] != '"' {
		return "", false
	}
	var b strings.Builder
	for n := 1; n < len(p.rest); n++ {
		switch c := p.rest[n]; c {
		case p.rest[0]:
			p.rest = strings.TrimLeft(p.rest[n+1:], " \t\n")
			return b.String(), true
		case 0:
			return "", false // D-Bus strings cannot hold it
		case '\\':
			n++
			if n == len(p.rest) {
				return "", false
			}
			switch c = p.rest[n]; c {
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			case '\\', '\'', '"':
			default:
				return "", false
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

func (p *parser) list() (any, bool) {
	if !p.skip("[") {
		return nil, false
	}
	list := []string{}
	for !p.skip("]") {
		if len(list) > 0 && !p.skip(",") {
			return nil, false
		}
		s, ok := p.quoted()
		if !ok {
			return nil, false
		}
		list = append(list, s)
	}
	return list, true
}

// parseSeconds parses a number of seconds, which may name its type, and returns microseconds.
func parseSeconds(text string) (uint64, error) {
	number := strings.TrimSpace(text)
	for _, w := range []string{"byte", "int16", "uint16", "int32", "uint32", "int64", "uint64", "double"} {
		if rest, ok := strings.CutPrefix(number, w+" "); ok {
			number = strings.TrimSpace(rest)
			break
		}
	}
	seconds, err := strconv.ParseFloat(number, 64)
	if err != nil || !(seconds >= 0 && seconds < 1e12) {
		return 0, fmt.Errorf("%q is no number of seconds", text)
	}
	return uint64(seconds * 1e6), nil
}
