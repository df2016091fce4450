package jsonpos

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Marshal encodes a value of the types that [Unmarshal] decodes. Each level is indented by
// indent; with an empty indent the result has no white space. Empty properties that are tagged
// omitempty are left out. Maps are sorted.
func Marshal(v any, indent string) []byte {
	e := encoder{indent: indent, out: make([]byte, 0, 1024)}
	e.value(reflect.ValueOf(v))
	return e.out
}

type encoder struct {
	out    []byte
	indent string
	depth  int
}

func (e *encoder) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			e.out = append(e.out, "null"...)
			return
		}
		e.value(v.Elem())
	case reflect.Struct:
		first := e.open('{')
		e.fields(v, &first)
		e.close('}', first)
	case reflect.Map:
		if v.IsNil() {
			e.out = append(e.out, "null"...)
			return
		}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		first := e.open('{')
		for _, k := range keys {
			e.key(k.String(), &first)
			e.value(v.MapIndex(k))
		}
		e.close('}', first)
	case reflect.Slice:
		if v.IsNil() {
			e.out = append(e.out, "null"...)
			return
		}
		first := e.open('[')
		for i := range v.Len() {
			e.next(&first)
			e.value(v.Index(i))
		}
		e.close(']', first)
	case reflect.String:
		e.string(v.String())
	case reflect.Bool:
		e.out = strconv.AppendBool(e.out, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.out = strconv.AppendInt(e.out, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		e.out = strconv.AppendUint(e.out, v.Uint(), 10)
	case reflect.Float64:
		e.out = strconv.AppendFloat(e.out, v.Float(), 'f', -1, 64)
	default:
		panic(fmt.Sprintf("jsonpos: %s cannot be encoded", v.Type()))
	}
}

// fields encodes the properties of a struct, including those of embedded structs.
func (e *encoder) fields(v reflect.Value, first *bool) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			e.fields(v.Field(i), first)
			continue
		case name == "-" || !f.IsExported():
			continue
		case name == "":
			name = f.Name
		}
		if options == "omitempty" && empty(v.Field(i)) {
			continue
		}
		e.key(name, first)
		e.value(v.Field(i))
	}
}

// empty reports whether encoding/json would leave the value out with omitempty.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func (e *encoder) open(c byte) (first bool) {
	e.out = append(e.out, c)
	e.depth++
	return true
}

func (e *encoder) close(c byte, stillFirst bool) {
	e.depth--
	if !stillFirst {
		e.newline()
	}
	e.out = append(e.out, c)
}

// next begins another element.
func (e *encoder) next(first *bool) {
	if !*first {
		e.out = append(e.out, ',')
	}
	*first = false
	e.newline()
}

func (e *encoder) key(name string, first *bool) {
	e.next(first)
	e.string(name)
	e.out = append(e.out, ':')
	if e.indent != "" {
		e.out = append(e.out, ' ')
	}
}

func (e *encoder) newline() {
	if e.indent == "" {
		return
	}
	e.out = append(e.out, '\n')
	for range e.depth {
		e.out = append(e.out, e.indent...)
	}
}

func (e *encoder) string(s string) {
	e.out = append(e.out, '"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			e.out = append(e.out, '\\', byte(r))
		case r == '\n':
			e.out = append(e.out, '\\', 'n')
		case r == '\t':
			e.out = append(e.out, '\\', 't')
		case r == '\r':
			e.out = append(e.out, '\\', 'r')
		case r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029':
			// The last three are valid in JSON, but they disturb terminals and JavaScript.
			e.out = fmt.Appendf(e.out, "\\u%04x", r)
		default:
			e.out = utf8.AppendRune(e.out, r)
		}
		i += n
	}
	e.out = append(e.out, '"')
}
