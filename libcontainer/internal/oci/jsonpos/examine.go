package jsonpos

import "reflect"

// Report is what [Examine] finds in a document that is well-formed.
type Report struct {
	// Misfits are values of another type than their properties have.
	Misfits []*Error
	// Unknown are properties that the type does not have.
	Unknown []*Error
	// Missing are properties that the type requires, being not tagged omitempty. Their
	// place is that of the object.
	Missing []*Error
	// Repeated are properties and keys that an object has more than once.
	Repeated []*Error
}

// Examine decodes a document like [Unmarshal], and goes on where a value does not fit:
// that property stays as it is. The error is for a document that is not well-formed.
func Examine(data []byte, v any) (*Report, error) {
	d := newDecoder(data)
	d.report = new(Report)
	err := d.document(reflect.ValueOf(v).Elem())
	d.report.Unknown = d.unknown
	return d.report, err
}

// missing reports what an object lacks that has been read.
func (d *decoder) missing(v reflect.Value, kind reflect.Kind, seen map[string]bool, start int) {
	if kind != reflect.Struct {
		return
	}
	for _, f := range d.properties(v.Type()) {
		if !f.required || seen[f.name] {
			continue
		}
		d.path = append(d.path, step{name: f.name})
		d.report.Missing = append(d.report.Missing, d.errorAt(start, "is missing; the specification requires it"))
		d.path = d.path[:len(d.path)-1]
	}
}
