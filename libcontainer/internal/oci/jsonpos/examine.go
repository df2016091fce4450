package jsonpos

import "reflect"

// Report is what [Examine] finds in a well-formed document.
type Report struct {
	// Misfits are values of a type other than the property's, and properties that are known in
	// another case.
	Misfits []*Error
	// Unknown are properties that the type does not have.
	Unknown []*Error
	// Missing are properties that the type requires because they are not tagged omitempty. Their
	// position is the position of the object.
	Missing []*Error
	// Repeated are properties and keys that an object has more than once.
	Repeated []*Error
}

// Examine decodes a document like [Unmarshal], but continues after a value of the wrong type; the
// property keeps its Go value. It returns an error when the document is not well-formed.
func Examine(data []byte, v any) (*Report, error) {
	d := newDecoder(data)
	d.report = new(Report)
	err := d.document(reflect.ValueOf(v).Elem())
	d.report.Unknown = d.unknown
	return d.report, err
}

// missing reports the required properties that an object does not have.
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
