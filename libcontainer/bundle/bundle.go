// Package bundle reads an OCI bundle and checks its configuration against the
// runtime specification (config.md and config-linux.md).
//
// Every problem that it finds names the property in question, written like
// mounts[2].options, and says what would be right.
package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ConfigName is the name of the configuration in a bundle (bundle.md).
const ConfigName = "config.json"

// maxConfig bounds the size of a configuration, in bytes. It is far above any
// real one; it keeps a wrong file, such as a device, from filling the memory.
const maxConfig = 64 << 20

// Bundle is a configuration with the directory that it came from.
type Bundle struct {
	// Path is the absolute path of the bundle.
	Path string
	// Rootfs is the absolute path of the root file system without symbolic links.
	Rootfs string
	// Spec is the configuration.
	Spec *specs.Spec
	// Raw is the configuration as it was read.
	Raw []byte
}

// Problem is something that is wrong with a configuration.
type Problem struct {
	// Pointer names the property: "process.rlimits[1].type". It is empty for
	// the configuration as a whole.
	Pointer string
	// Text says what is wrong and, where that is not obvious, what is right.
	Text string
}

func (p Problem) Error() string {
	if p.Pointer == "" {
		return ConfigName + ": " + p.Text
	}
	return ConfigName + ": " + p.Pointer + ": " + p.Text
}

// Load reads the bundle in dir and validates it. The warnings are for the log;
// the first problem that forbids to create the container is the error.
func Load(dir string) (b *Bundle, warnings []Problem, err error) {
	b, err = Read(dir)
	if err != nil {
		return nil, nil, err
	}
	problems, warnings := Validate(b.Spec)
	if len(problems) > 0 {
		return nil, warnings, problems[0]
	}
	if err := b.findRootfs(); err != nil {
		return nil, warnings, err
	}
	return b, warnings, nil
}

// Read reads the bundle in dir without checking more than its syntax.
func Read(dir string) (*Bundle, error) {
	if dir == "" {
		dir = "."
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("bundle %q: %w", dir, err)
	}
	raw, err := readConfig(filepath.Join(path, ConfigName))
	if err != nil {
		return nil, err
	}
	spec, err := Decode(raw)
	if err != nil {
		return nil, err
	}
	return &Bundle{Path: path, Spec: spec, Raw: raw}, nil
}

func readConfig(path string) ([]byte, error) {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("bundle has no %s: %w (make one with \"coracle spec\")", ConfigName, err)
	case err != nil:
		return nil, fmt.Errorf("bundle: %w", err)
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("bundle: %s is not a regular file", path)
	case st.Size() > maxConfig:
		return nil, fmt.Errorf("bundle: %s is larger than %d MiB", path, maxConfig>>20)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	return raw, nil
}

// linuxConfig is [specs.Spec] without the parts for other platforms, which
// would double the time that the first decoding takes.
type linuxConfig struct {
	Version     string            `json:"ociVersion"`
	Process     *specs.Process    `json:"process"`
	Root        *specs.Root       `json:"root"`
	Hostname    string            `json:"hostname"`
	Domainname  string            `json:"domainname"`
	Mounts      []specs.Mount     `json:"mounts"`
	Hooks       *specs.Hooks      `json:"hooks"`
	Annotations map[string]string `json:"annotations"`
	Linux       *specs.Linux      `json:"linux"`
}

// Decode reads a configuration. An error names the line and column, or the
// property whose type is wrong.
func Decode(raw []byte) (*specs.Spec, error) {
	var c linuxConfig
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, decodeError(raw, err)
	}
	return &specs.Spec{
		Version: c.Version, Process: c.Process, Root: c.Root, Hostname: c.Hostname, Domainname: c.Domainname,
		Mounts: c.Mounts, Hooks: c.Hooks, Annotations: c.Annotations, Linux: c.Linux,
	}, nil
}

func decodeError(raw []byte, err error) error {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		text := strings.TrimPrefix(syntax.Error(), "json: ")
		return Problem{Text: fmt.Sprintf("%s: %s", position(raw, syntax.Offset-1), text)}
	case errors.As(err, &typ):
		// The offset is that of the end of the value.
		return Problem{Pointer: typ.Field, Text: fmt.Sprintf("%s: a JSON %s does not fit, this is of type %s", position(raw, typ.Offset-1), typ.Value, typeName(typ.Type.String()))}
	}
	return Problem{Text: err.Error()}
}

// typeName writes a Go type in the words of the specification.
func typeName(t string) string {
	t = strings.TrimPrefix(t, "*")
	switch {
	case strings.HasPrefix(t, "[]"):
		return "array of " + typeName(t[2:])
	case strings.HasPrefix(t, "map["):
		return "object"
	case strings.HasPrefix(t, "specs.Linux") && (strings.HasSuffix(t, "Type") || strings.HasSuffix(t, "Action") || strings.HasSuffix(t, "Operator")):
		return "string"
	case strings.HasPrefix(t, "specs."), strings.HasPrefix(t, "bundle."):
		return "object"
	case t == "os.FileMode", t == "fs.FileMode":
		return "uint32"
	}
	return t
}

// position is "line 3, column 7" of an offset.
func position(raw []byte, offset int64) string {
	offset = max(0, min(offset, int64(len(raw))))
	before := string(raw[:offset])
	line := 1 + strings.Count(before, "\n")
	column := len(before) - (strings.LastIndexByte(before, '\n') + 1) + 1
	return fmt.Sprintf("line %d, column %d", line, column)
}

// findRootfs resolves root.path, which may be relative to the bundle (config.md#root).
func (b *Bundle) findRootfs() error {
	path := b.Spec.Root.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.Path, path)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Problem{"root.path", fmt.Sprintf("rootfs: %v", err)}
	}
	st, err := os.Stat(real)
	if err != nil {
		return Problem{"root.path", fmt.Sprintf("rootfs: %v", err)}
	}
	if !st.IsDir() {
		return Problem{"root.path", fmt.Sprintf("rootfs %s is not a directory", path)}
	}
	if real == "/" {
		return Problem{"root.path", "the root of the host cannot be a rootfs"}
	}
	b.Rootfs = real
	return nil
}
