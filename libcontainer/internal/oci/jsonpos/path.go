package jsonpos

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// step is a part of a path: the name of a property or the index of an element.
type step struct {
	name    string
	index   int
	element bool
}

// pathText writes a path like mounts[2].options. A name that is not plain, such as a map key with
// dots, is quoted: linux.sysctl["net.core.somaxconn"].
func pathText(path []step) string {
	var b strings.Builder
	for i, s := range path {
		switch {
		case s.element:
			fmt.Fprintf(&b, "[%d]", s.index)
		case !plain(s.name):
			fmt.Fprintf(&b, "[%q]", s.name)
		case i > 0:
			b.WriteString("." + s.name)
		default:
			b.WriteString(s.name)
		}
	}
	return b.String()
}

func plain(name string) bool {
	for _, c := range name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", c) {
			return false
		}
	}
	return name != ""
}

// parsePath parses the format of pathText. It stops at the first syntax error.
func parsePath(text string) (path []step) {
	for text != "" {
		if inside, ok := strings.CutPrefix(text, "["); ok {
			if quoted, err := strconv.QuotedPrefix(inside); err == nil {
				name, _ := strconv.Unquote(quoted)
				path = append(path, step{name: name})
				text = strings.TrimPrefix(inside[len(quoted):], "]")
				continue
			}
			number, rest, closed := strings.Cut(inside, "]")
			//allow:atoi an index, compared with the length of a list
			n, err := strconv.Atoi(number)
			if err != nil || !closed {
				return path
			}
			path = append(path, step{index: n, element: true})
			text = rest
			continue
		}
		name := strings.TrimPrefix(text, ".")
		if end := strings.IndexAny(name, ".["); end >= 0 {
			name, text = name[:end], name[end:]
		} else {
			text = ""
		}
		path = append(path, step{name: name})
	}
	return path
}

// Pointer turns a path into a JSON Pointer (RFC 6901): mounts[2].options becomes
// /mounts/2/options.
func Pointer(path string) string {
	var b strings.Builder
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for _, s := range parsePath(path) {
		b.WriteByte('/')
		if s.element {
			b.WriteString(strconv.Itoa(s.index))
		} else {
			b.WriteString(escape.Replace(s.name))
		}
	}
	return b.String()
}

// Parent returns the path of the object or array that has the property.
func Parent(path string) string {
	steps := parsePath(path)
	if len(steps) == 0 {
		return ""
	}
	return pathText(steps[:len(steps)-1])
}

// Within reports whether path is outer or lies below it.
func Within(path, outer string) bool {
	inner, prefix := parsePath(path), parsePath(outer)
	if len(inner) < len(prefix) {
		return false
	}
	for i := range prefix {
		if inner[i] != prefix[i] {
			return false
		}
	}
	return true
}

// Locate returns the line and column where the value of a property begins. If the property is
// missing, or lies below a value that is neither array nor object, it is the position of the
// nearest enclosing value. The document has to be well-formed.
func Locate(data []byte, path string) (line, column int) {
	d := newDecoder(data)
	pos := 0
	func() {
		defer func() { _ = recover() }()
		d.space()
		pos = d.pos
		for _, s := range parsePath(path) {
			if !d.enter(s) {
				break
			}
			pos = d.pos
		}
	}()
	return place(data, pos)
}

// enter moves to a member or element of the value at the current position. If a name occurs more
// than once, the last member counts.
func (d *decoder) enter(s step) (found bool) {
	opening, end := byte('{'), byte('}')
	if s.element {
		opening, end = '[', ']'
	}
	if d.peek() != opening {
		return false
	}
	d.pos++
	d.space()
	at := 0
	for i := 0; d.peek() != end; i++ {
		name := ""
		if !s.element {
			name = d.string()
			d.space()
			d.expect(':', "after a property name")
			d.space()
		}
		if s.element && i == s.index || !s.element && name == s.name {
			at, found = d.pos, true
		}
		d.path = append(d.path, s)
		d.value(reflect.Value{})
		if !d.another(end, "") {
			break
		}
	}
	if found {
		d.pos = at
	}
	return found
}
