// Package jsonpos decodes JSON into Go values and records positions.
//
// It understands the struct tags of encoding/json and the types that configurations are made of:
// structs, pointers, slices, maps with string keys, strings, booleans and integers. In addition
// it gives the position of every problem, its path with indices, and a list of the properties
// that the Go types do not have. The first decoding of a type is several times quicker than with
// encoding/json; a command that runs for milliseconds decodes a type only once.
//
// The comparison of property names is case-sensitive, and a property that is known in another case
// is an error. A null leaves the Go value as it is.
package jsonpos

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Error is a problem with a document.
type Error struct {
	// Path is the property, like mounts[2].options; it is empty for the whole document.
	Path string
	// Line and Column count from 1. Columns are bytes.
	Line, Column int
	Text         string
}

func (e *Error) Error() string {
	where := fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
	if e.Path == "" {
		return where
	}
	return e.Path + ": " + where
}

// maxDepth limits the nesting of arrays and objects.
const maxDepth = 1000

// Unmarshal decodes a document into the value that v points to. unknown has an entry for each
// property that the type does not have. Errors are of type *Error; after an error v may be partly
// filled.
func Unmarshal(data []byte, v any) (unknown []*Error, err error) {
	d := newDecoder(data)
	err = d.document(reflect.ValueOf(v).Elem())
	return d.unknown, err
}

func newDecoder(data []byte) *decoder {
	return &decoder{data: data, fields: make(map[reflect.Type][]field)}
}

// document decodes the whole document.
func (d *decoder) document(v reflect.Value) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			err = r
		default:
			panic(r)
		}
	}()
	d.space()
	d.value(v)
	d.space()
	if d.pos < len(d.data) {
		d.fail("unexpected data after the JSON value")
	}
	if d.more > 0 {
		d.unknown = append(d.unknown, d.errorAt(d.pos, "%d more unknown properties", d.more))
	}
	return nil
}

type decoder struct {
	data    []byte
	pos     int
	depth   int
	path    []step
	unknown []*Error
	fields  map[reflect.Type][]field
	// report is set when decoding continues after a value of the wrong type.
	report *Report
	// marks has the place of each position that is a multiple of markEvery, up to some position.
	marks []mark
	// more counts the unknown properties that are left out.
	more int
}

// mark is a place in a document: how many lines end before a position, and where the line begins.
type mark struct{ lines, start int }

// markEvery is the distance of marks. Between them lines are counted for each error.
const markEvery = 4096

// maxUnknown limits how many unknown properties are reported one by one.
const maxUnknown = 1000

// field is a property of a struct.
type field struct {
	name     string
	index    []int
	required bool // not tagged omitempty
}

func (d *decoder) errorAt(pos int, format string, args ...any) *Error {
	pos = min(pos, len(d.data))
	line, column := d.place(pos)
	return &Error{Path: pathText(d.path), Line: line, Column: column, Text: fmt.Sprintf(format, args...)}
}

// place returns the line and column of a position.
func place(data []byte, pos int) (line, column int) {
	before := data[:pos]
	return 1 + bytes.Count(before, []byte{'\n'}), len(before) - bytes.LastIndexByte(before, '\n')
}

// place is the function of this name, for many positions: lines are counted once.
func (d *decoder) place(pos int) (line, column int) {
	for n := len(d.marks); n*markEvery <= pos; n++ {
		m := mark{}
		if n > 0 {
			m = d.marks[n-1].after(d.data[(n-1)*markEvery:n*markEvery], (n-1)*markEvery)
		}
		d.marks = append(d.marks, m)
	}
	at := pos / markEvery * markEvery
	m := d.marks[pos/markEvery].after(d.data[at:pos], at)
	return 1 + m.lines, 1 + pos - m.start
}

// after returns the place behind some text, which begins at a position.
func (m mark) after(text []byte, at int) mark {
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		m.lines, m.start = m.lines+bytes.Count(text, []byte{'\n'}), at+i+1
	}
	return m
}

// fail stops decoding with an error at the current position.
func (d *decoder) fail(format string, args ...any) { panic(d.errorAt(d.pos, format, args...)) }

func (d *decoder) space() {
	for d.pos < len(d.data) {
		switch d.data[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end.
func (d *decoder) peek() byte {
	if d.pos < len(d.data) {
		return d.data[d.pos]
	}
	return 0
}

// found describes what is at the current position.
func (d *decoder) found() string {
	if d.pos >= len(d.data) {
		return "the document ends"
	}
	r, _ := utf8.DecodeRune(d.data[d.pos:])
	return fmt.Sprintf("there is %q", r)
}

func (d *decoder) expect(c byte, where string) {
	if d.peek() != c || d.pos >= len(d.data) {
		d.fail("%q is expected %s, but %s", c, where, d.found())
	}
	d.pos++
}

func (d *decoder) literal(s string) {
	if !strings.HasPrefix(string(d.data[d.pos:min(len(d.data), d.pos+len(s))]), s) {
		d.fail("invalid JSON value")
	}
	d.pos += len(s)
}

// value decodes the value at the current position. With an invalid v it skips the value.
func (d *decoder) value(v reflect.Value) {
	if d.depth++; d.depth > maxDepth {
		d.fail("arrays and objects are nested too deeply")
	}
	defer func() { d.depth-- }()
	start := d.pos
	switch c := d.peek(); {
	case c == 'n':
		d.literal("null")
		return
	case c == '{', c == '[', c == '"', c == 't', c == 'f', c == '-', c >= '0' && c <= '9':
	case d.pos >= len(d.data):
		d.fail("a value is expected, but the document ends")
	default:
		d.fail("a value is expected, but %s", d.found())
	}
	for v.IsValid() && v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	kind := reflect.Invalid
	if v.IsValid() {
		kind = v.Kind()
	}
	switch d.data[d.pos] {
	case '{':
		if !d.check(kind == reflect.Invalid || kind == reflect.Struct || kind == reflect.Map, start, "an object", v) {
			kind = reflect.Invalid
		}
		d.object(v, kind)
	case '[':
		if !d.check(kind == reflect.Invalid || kind == reflect.Slice, start, "an array", v) {
			kind = reflect.Invalid
		}
		d.array(v, kind)
	case '"':
		s := d.string()
		if d.check(kind == reflect.Invalid || kind == reflect.String, start, "a string", v) && kind == reflect.String {
			v.SetString(s)
		}
	case 't', 'f':
		b := d.data[d.pos] == 't'
		d.literal(strconv.FormatBool(b))
		if d.check(kind == reflect.Invalid || kind == reflect.Bool, start, "a boolean", v) && kind == reflect.Bool {
			v.SetBool(b)
		}
	default:
		d.number(v, kind, start)
	}
}

// check fails with an error about the type of a value, or adds it to the report.
func (d *decoder) check(ok bool, start int, got string, v reflect.Value) bool {
	if !ok {
		err := d.errorAt(start, "expected %s, got %s", typeName(v.Type()), got)
		if d.report == nil {
			panic(err)
		}
		d.report.Misfits = append(d.report.Misfits, err)
	}
	return ok
}

func (d *decoder) object(v reflect.Value, kind reflect.Kind) {
	start := d.pos
	d.pos++
	var seen map[string]bool
	if d.report != nil {
		seen = make(map[string]bool)
		defer func() { d.missing(v, kind, seen, start) }()
	}
	if kind == reflect.Map && v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	d.space()
	if d.peek() == '}' {
		d.pos++
		return
	}
	for {
		keyPos := d.pos
		if d.peek() != '"' {
			d.fail("a property name is expected, but %s", d.found())
		}
		key := d.string()
		d.path = append(d.path, step{name: key})
		if seen != nil {
			if seen[key] {
				d.report.Repeated = append(d.report.Repeated, d.errorAt(keyPos, "duplicate property"))
			}
			seen[key] = true
		}
		d.space()
		d.expect(':', "after a property name")
		d.space()
		switch kind {
		case reflect.Struct:
			target := d.property(v, key)
			if !target.IsValid() {
				d.unknownProperty(v, key, keyPos)
			}
			d.value(target)
		case reflect.Map:
			element := reflect.New(v.Type().Elem()).Elem()
			d.value(element)
			v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), element)
		default:
			d.value(reflect.Value{})
		}
		if !d.another('}', "or a comma in an object") {
			return
		}
	}
}

// property returns the field of a struct for a property.
func (d *decoder) property(v reflect.Value, name string) reflect.Value {
	fields := d.properties(v.Type())
	for i := range fields {
		if fields[i].name == name {
			return v.FieldByIndex(fields[i].index)
		}
	}
	return reflect.Value{}
}

// unknownProperty notes a property that a struct does not have.
//
// One that differs from a property only by upper and lower case is an error. Decoders such as
// encoding/json take it for that: whoever has written it, and tried it, relies on what it says.
func (d *decoder) unknownProperty(v reflect.Value, name string, pos int) {
	for _, f := range d.properties(v.Type()) {
		if !strings.EqualFold(f.name, name) {
			continue
		}
		e := d.errorAt(pos, "unknown property; %q is meant, but upper and lower case differ", f.name)
		if d.report == nil {
			panic(e)
		}
		d.report.Misfits = append(d.report.Misfits, e)
		return
	}
	if len(d.unknown) >= maxUnknown {
		d.more++
		return
	}
	d.unknown = append(d.unknown, d.errorAt(pos, "unknown property"))
}

// properties returns the properties of a struct type.
func (d *decoder) properties(t reflect.Type) []field {
	fields, ok := d.fields[t]
	if !ok {
		fields = appendFields(nil, t, nil)
		d.fields[t] = fields
	}
	return fields
}

// appendFields appends the properties of a struct, including those of embedded structs.
func appendFields(fields []field, t reflect.Type, prefix []int) []field {
	n, depth := t.NumField(), len(prefix)+1
	fields = slices.Grow(fields, n)
	indexes := make([]int, 0, n*depth) // of all fields, one after the other
	for i := range n {
		f := t.Field(i)
		indexes = append(append(indexes, prefix...), i)
		index := indexes[i*depth : len(indexes) : len(indexes)]
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			fields = appendFields(fields, f.Type, index)
		case name == "-" || !f.IsExported():
		case name == "":
			fields = append(fields, field{f.Name, index, false})
		default:
			fields = append(fields, field{name, index, options != "omitempty"})
		}
	}
	return fields
}

// another is called after a member of an object or an element of an array. It reports whether a
// comma follows; otherwise it consumes the closing character.
func (d *decoder) another(end byte, where string) bool {
	d.path = d.path[:len(d.path)-1]
	d.space()
	if d.peek() != ',' {
		d.expect(end, where)
		return false
	}
	d.pos++
	d.space()
	return true
}

func (d *decoder) array(v reflect.Value, kind reflect.Kind) {
	d.pos++
	if kind == reflect.Slice {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	}
	d.space()
	if d.peek() == ']' {
		d.pos++
		return
	}
	for i := 0; ; i++ {
		d.path = append(d.path, step{index: i, element: true})
		if kind == reflect.Slice {
			if i == v.Cap() {
				v.Grow(max(4, i))
			}
			v.SetLen(i + 1)
			v.Index(i).SetZero()
			d.value(v.Index(i))
		} else {
			d.value(reflect.Value{})
		}
		if !d.another(']', "or a comma in an array") {
			return
		}
	}
}

func (d *decoder) number(v reflect.Value, kind reflect.Kind, start int) {
	integer := true
	digits := func() {
		n := 0
		for c := d.peek(); c >= '0' && c <= '9'; c = d.peek() {
			d.pos++
			n++
		}
		if n == 0 {
			d.fail("a digit is expected, but %s", d.found())
		}
	}
	if d.peek() == '-' {
		d.pos++
	}
	if d.peek() == '0' {
		d.pos++
	} else {
		digits()
	}
	if d.peek() == '.' {
		integer = false
		d.pos++
		digits()
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		integer = false
		d.pos++
		if c := d.peek(); c == '+' || c == '-' {
			d.pos++
		}
		digits()
	}
	text := string(d.data[start:d.pos])
	switch kind {
	case reflect.Invalid:
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if d.check(err == nil && integer, start, "the number "+text, v) {
			v.SetInt(n)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if d.check(err == nil && integer, start, "the number "+text, v) {
			v.SetUint(n)
		}
	default:
		d.check(false, start, "the number "+text, v)
	}
}

// string decodes a string. Like encoding/json it turns invalid UTF-8 and unpaired
// surrogates into the replacement character.
func (d *decoder) string() string {
	d.pos++
	start := d.pos
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; {
		case c == '"':
			s := string(d.data[start:d.pos])
			d.pos++
			if utf8.ValidString(s) {
				return s
			}
			return strings.ToValidUTF8(s, string(utf8.RuneError))
		case c == '\\':
			return d.escaped(start)
		case c < ' ':
			d.fail("a control character has to be escaped in a string")
		}
		d.pos++
	}
	d.fail("a string has no end")
	return ""
}

// escaped decodes the rest of a string, starting at its first escape.
func (d *decoder) escaped(start int) string {
	b := append([]byte(nil), d.data[start:d.pos]...)
	for d.pos < len(d.data) {
		c := d.data[d.pos]
		switch {
		case c == '"':
			d.pos++
			return strings.ToValidUTF8(string(b), string(utf8.RuneError))
		case c < ' ':
			d.fail("a control character has to be escaped in a string")
		case c != '\\':
			b = append(b, c)
			d.pos++
			continue
		}
		d.pos++
		switch e := d.peek(); e {
		case '"', '\\', '/':
			b = append(b, e)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			b = utf8.AppendRune(b, d.unicode())
			continue
		default:
			d.fail("%q is not an escape", "\\"+string(rune(e)))
		}
		d.pos++
	}
	d.fail("a string has no end")
	return ""
}

// unicode decodes \uXXXX, starting at the u, and the second escape of a surrogate pair.
func (d *decoder) unicode() rune {
	r := d.hex4()
	if utf16.IsSurrogate(r) {
		if d.pos+1 < len(d.data) && d.data[d.pos] == '\\' && d.data[d.pos+1] == 'u' {
			back := d.pos
			d.pos++
			if pair := utf16.DecodeRune(r, d.hex4()); pair != utf8.RuneError {
				return pair
			}
			d.pos = back
		}
		return utf8.RuneError
	}
	return r
}

func (d *decoder) hex4() rune {
	d.pos++
	if d.pos+4 > len(d.data) {
		d.fail("a \\u escape has four hexadecimal digits")
	}
	n, err := strconv.ParseUint(string(d.data[d.pos:d.pos+4]), 16, 16)
	if err != nil {
		d.fail("a \\u escape has four hexadecimal digits")
	}
	d.pos += 4
	return rune(n)
}

// typeName returns the specification's name of a type.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		return "an array"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	default:
		return "a number (" + t.Kind().String() + ")"
	}
}
