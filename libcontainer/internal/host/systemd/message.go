package systemd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// message is a message of D-Bus (D-Bus specification, "Message Protocol"). It has only what the
// exchanges with systemd need. A complete implementation imports package net, whose
// initialization every command would pay for.
type message struct {
	kind        byte
	serial      uint32
	path        objectPath
	iface       string
	member      string
	errorName   string
	replySerial uint32
	sender      string
	destination string
	body        []any
}

// The kinds of messages.
const (
	methodCall byte = iota + 1
	methodReply
	methodError
	signal
)

// The numbers of header fields.
const (
	fieldPath byte = iota + 1
	fieldInterface
	fieldMember
	fieldErrorName
	fieldReplySerial
	fieldDestination
	fieldSender
	fieldSignature
)

// objectPath and signature are strings with D-Bus types of their own.
type (
	objectPath string
	signature  string
)

// typeOf is the D-Bus type of a value that can be sent.
func typeOf(v any) string {
	switch v.(type) {
	case bool:
		return "b"
	case int32:
		return "i"
	case uint32:
		return "u"
	case uint64:
		return "t"
	case string:
		return "s"
	case objectPath:
		return "o"
	case signature:
		return "g"
	case []byte:
		return "ay"
	case []uint32:
		return "au"
	case []string:
		return "as"
	case []Property:
		return "a(sv)"
	case []auxiliary:
		return "a(sa(sv))"
	}
	panic(fmt.Sprintf("no D-Bus type for %T", v))
}

// encoder writes values, aligned from the beginning of the message.
type encoder struct{ b []byte }

func (e *encoder) align(n int) {
	for len(e.b)%n != 0 {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) uint32(n uint32) {
	e.align(4)
	e.b = binary.LittleEndian.AppendUint32(e.b, n)
}

func (e *encoder) text(s string) {
	e.uint32(uint32(len(s)))
	e.b = append(append(e.b, s...), 0)
}

func (e *encoder) signature(s string) {
	e.b = append(append(append(e.b, byte(len(s))), s...), 0)
}

// array writes the length of an array before its elements, which are aligned to n bytes.
func (e *encoder) array(n int, elements func()) {
	e.uint32(0)
	at := len(e.b)
	e.align(n)
	start := len(e.b)
	elements()
	binary.LittleEndian.PutUint32(e.b[at-4:], uint32(len(e.b)-start))
}

func (e *encoder) variant(v any) {
	e.signature(typeOf(v))
	e.value(v)
}

func (e *encoder) value(v any) {
	switch v := v.(type) {
	case bool:
		n := uint32(0)
		if v {
			n = 1
		}
		e.uint32(n)
	case int32:
		e.uint32(uint32(v))
	case uint32:
		e.uint32(v)
	case uint64:
		e.align(8)
		e.b = binary.LittleEndian.AppendUint64(e.b, v)
	case string:
		e.text(v)
	case objectPath:
		e.text(string(v))
	case signature:
		e.signature(string(v))
	case []byte:
		e.array(1, func() { e.b = append(e.b, v...) })
	case []uint32:
		e.array(4, func() { each(v, e.uint32) })
	case []string:
		e.array(4, func() { each(v, e.text) })
	case []Property:
		e.array(8, func() {
			each(v, func(p Property) {
				e.align(8)
				e.text(p.Name)
				e.variant(p.Value)
			})
		})
	case []auxiliary:
		e.array(8, func() {
			each(v, func(a auxiliary) {
				e.align(8)
				e.text(a.name)
				e.value(a.properties)
			})
		})
	}
}

func each[T any](list []T, f func(T)) {
	for _, v := range list {
		f(v)
	}
}

// encode returns the message in its wire format.
func (m *message) encode() []byte {
	var body encoder
	types := ""
	for _, v := range m.body {
		types += typeOf(v)
		body.value(v)
	}
	e := encoder{b: []byte{'l', m.kind, 0, 1}}
	e.uint32(uint32(len(body.b)))
	e.uint32(m.serial)
	e.array(8, func() {
		field := func(number byte, v any, has bool) {
			if has {
				e.align(8)
				e.b = append(e.b, number)
				e.variant(v)
			}
		}
		field(fieldPath, m.path, m.path != "")
		field(fieldInterface, m.iface, m.iface != "")
		field(fieldMember, m.member, m.member != "")
		field(fieldDestination, m.destination, m.destination != "")
		field(fieldSignature, signature(types), types != "")
	})
	e.align(8)
	return append(e.b, body.b...)
}

// maxMessage is the size limit of a received message, in bytes. The replies of systemd are short.
const maxMessage = 1 << 20

var errMalformed = errors.New("the answer is no D-Bus message")

// readMessage reads a message.
func readMessage(r io.Reader) (*message, error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	d := decoder{order: binary.LittleEndian}
	switch head[0] {
	case 'l':
	case 'B':
		d.order = binary.BigEndian
	default:
		return nil, errMalformed
	}
	body, fields := d.order.Uint32(head[4:]), d.order.Uint32(head[12:])
	if head[3] != 1 || body > maxMessage || fields > maxMessage {
		return nil, errMalformed
	}
	headEnd := (16 + int(fields) + 7) &^ 7
	d.b = make([]byte, headEnd+int(body))
	copy(d.b, head)
	if _, err := io.ReadFull(r, d.b[16:]); err != nil {
		return nil, err
	}
	m := &message{kind: head[1], serial: d.order.Uint32(head[8:])}
	d.at = 12
	list, _ := d.value("a(yv)", 0).([]any)
	types := signature("")
	if d.err != nil {
		return nil, d.err
	}
	for _, f := range list {
		field, _ := f.([]any)
		number, _ := field[0].(byte)
		ok := true
		switch v := field[1]; number {
		case fieldPath:
			m.path, ok = v.(objectPath)
		case fieldInterface:
			m.iface, ok = v.(string)
		case fieldMember:
			m.member, ok = v.(string)
		case fieldErrorName:
			m.errorName, ok = v.(string)
		case fieldReplySerial:
			m.replySerial, ok = v.(uint32)
		case fieldSender:
			m.sender, ok = v.(string)
		case fieldSignature:
			types, ok = v.(signature)
		}
		if !ok {
			return nil, errMalformed
		}
	}
	d.at = headEnd
	for rest := string(types); rest != "" && d.err == nil; {
		var one string
		if one, rest = firstType(rest); one == "" {
			return nil, errMalformed
		}
		m.body = append(m.body, d.value(one, 0))
	}
	return m, d.err
}

// firstType splits off the first complete type of a signature; it is empty when the
// signature is malformed.
func firstType(s string) (first, rest string) {
	depth := 0
	for n := range len(s) {
		switch s[n] {
		case 'a':
			continue
		case '(', '{':
			depth++
		case ')', '}':
			depth--
		}
		if depth < 0 {
			return "", ""
		}
		if depth == 0 {
			return s[:n+1], s[n+1:]
		}
	}
	return "", ""
}

// decoder reads values. After the first error it returns only nil.
type decoder struct {
	b     []byte
	at    int
	order binary.ByteOrder
	err   error
}

// take skips padding up to the alignment and returns the next n bytes, nil when there are fewer.
func (d *decoder) take(n, alignment int) []byte {
	at := (d.at + alignment - 1) &^ (alignment - 1)
	if d.err != nil || n < 0 || at > len(d.b) || n > len(d.b)-at {
		d.err = errMalformed
		return nil
	}
	d.at = at + n
	return d.b[at:d.at]
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4, 4); b != nil {
		return d.order.Uint32(b)
	}
	return 0
}

// text reads n bytes of text and the NUL after them.
func (d *decoder) text(n int) string {
	b := d.take(n+1, 1)
	if b == nil || bytes.IndexByte(b, 0) != n {
		d.err = errMalformed
		return ""
	}
	return string(b[:n])
}

// maxDepth is how deep types may be nested (D-Bus specification, "Valid Signatures").
const maxDepth = 64

// value reads a value of type t. Arrays and structures become []any.
func (d *decoder) value(t string, depth int) any {
	if d.err != nil || t == "" || depth > maxDepth {
		d.err = errMalformed
		return nil
	}
	switch t[0] {
	case 'y':
		if b := d.take(1, 1); b != nil {
			return b[0]
		}
	case 'b':
		return d.uint32() == 1
	case 'n', 'q':
		if b := d.take(2, 2); b != nil {
			return d.order.Uint16(b)
		}
	case 'i':
		return int32(d.uint32())
	case 'u', 'h':
		return d.uint32()
	case 'x', 't', 'd':
		b := d.take(8, 8)
		switch {
		case b == nil:
		case t[0] == 'x':
			return int64(d.order.Uint64(b))
		case t[0] == 't':
			return d.order.Uint64(b)
		default:
			return math.Float64frombits(d.order.Uint64(b))
		}
	case 's':
		return d.text(int(d.uint32()))
	case 'o':
		return objectPath(d.text(int(d.uint32())))
	case 'g', 'v':
		var s string
		if b := d.take(1, 1); b != nil {
			s = d.text(int(b[0]))
		}
		if t[0] == 'g' {
			return signature(s)
		}
		if one, rest := firstType(s); one != "" && rest == "" {
			return d.value(one, depth+1)
		}
		d.err = errMalformed
	case 'a':
		return d.array(t[1:], depth+1)
	case '(', '{':
		return d.structure(t[1:len(t)-1], depth+1)
	default:
		d.err = errMalformed
	}
	return nil
}

func (d *decoder) array(element string, depth int) any {
	n := int(d.uint32())
	if d.take(0, alignmentOf(element)); d.err != nil || n > len(d.b)-d.at {
		d.err = errMalformed
		return nil
	}
	list := []any{}
	for end := d.at + n; d.at < end && d.err == nil; {
		list = append(list, d.value(element, depth))
	}
	return list
}

func (d *decoder) structure(types string, depth int) any {
	d.take(0, 8)
	if types == "" {
		// An array of elements of size 0 would never end.
		d.err = errMalformed
	}
	var list []any
	for types != "" && d.err == nil {
		var one string
		if one, types = firstType(types); one == "" {
			d.err = errMalformed
			break
		}
		list = append(list, d.value(one, depth))
	}
	return list
}

func alignmentOf(t string) int {
	switch {
	case t == "" || strings.IndexByte("ygv", t[0]) >= 0:
		return 1
	case strings.IndexByte("nq", t[0]) >= 0:
		return 2
	case strings.IndexByte("xtd({", t[0]) >= 0:
		return 8
	}
	return 4
}
