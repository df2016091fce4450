package libcontainer

import (
	"io"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/oci/jsonpos"
)

// WriteJSON writes a value as JSON, and a newline. With an indent each property is on its own
// line.
func WriteJSON(w io.Writer, v any, indent string) error {
	_, err := w.Write(append(jsonpos.Marshal(v, indent), '\n'))
	return err
}

// DecodeResources decodes limits in the form of a configuration (config-linux.md#control-groups).
// Errors have line, column and property; unknown has an error for each property that the
// specification does not define.
func DecodeResources(data []byte) (r *specs.LinuxResources, unknown []error, err error) {
	r = new(specs.LinuxResources)
	other, err := jsonpos.Unmarshal(data, r)
	if err != nil {
		return nil, nil, err
	}
	for _, u := range other {
		unknown = append(unknown, u)
	}
	return r, unknown, nil
}
