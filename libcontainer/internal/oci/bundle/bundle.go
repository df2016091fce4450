// Package bundle reads an OCI bundle and checks its configuration against the
// runtime specification (config.md and config-linux.md).
//
// Every problem names the property, in the form mounts[2].options, and says what would be right.
package bundle

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/jsonpos"
)

// ConfigName is the name of the configuration in a bundle (bundle.md).
const ConfigName = "config.json"

// maxConfig limits the size of a configuration, in bytes. It is far above the size of any real
// one. The limit protects the memory from a wrong file, such as a device.
const maxConfig = 64 << 20

// Bundle is a configuration with the directory that it was read from.
type Bundle struct {
	// Path is the absolute path of the bundle.
	Path string
	// Rootfs is the absolute path of the root file system, with symbolic links resolved.
	Rootfs string
	// Config is the path of the configuration when it is not the bundle's config.json.
	Config string
	// Spec is the configuration.
	Spec *specs.Spec
	// Raw is the configuration as it was read.
	Raw []byte
	// Unknown are the properties that the specification does not define.
	Unknown []Problem
}

// Problem is something that is wrong with a configuration.
type Problem struct {
	// Property is the path of the property: "process.rlimits[1].type". It is empty for
	// the configuration as a whole.
	Property string
	// Text says what is wrong and, where that is not obvious, what is right.
	Text string
	// Predicate reports whether Text continues the name of the property, as "is missing" does.
	Predicate bool
	// Cause is what the host said, where that is the reason; nil otherwise.
	Cause error
}

// About returns a problem whose text is complete without the name of the property: "root.path: no
// such directory".
func About(property, format string, args ...any) Problem {
	return Problem{Property: property, Text: fmt.Sprintf(format, args...)}
}

// Predicate returns a problem whose text continues the name of the property: "root.path is
// missing".
func Predicate(property, format string, args ...any) Problem {
	return Problem{Property: property, Text: fmt.Sprintf(format, args...), Predicate: true}
}

// aboutCause is [About] for a problem that the host has reported.
func aboutCause(property string, cause error, format string, args ...any) Problem {
	p := About(property, format, args...)
	p.Cause = cause
	return p
}

// Facts makes it a [fault.Knower]. What the host says of a property is no mistake in it.
func (p Problem) Facts() fault.Facts {
	if p.Cause != nil {
		return fault.Facts{Property: p.Property}
	}
	return fault.Facts{Code: fault.ConfigInvalid, Property: p.Property}
}

// Unwrap gives access to the cause.
func (p Problem) Unwrap() error { return p.Cause }

func (p Problem) Error() string { return ConfigName + ": " + p.Sentence() }

// Sentence returns the problem as text, without the name of the file. The property's name is not
// repeated when Text has it already, in parentheses or before a colon.
func (p Problem) Sentence() string {
	if p.Property == "" || strings.Contains(p.Text, "("+p.Property+")") || strings.HasPrefix(p.Text, p.Property+": ") {
		return p.Text
	}
	if p.Predicate {
		return p.Property + " " + p.Text
	}
	return p.Property + ": " + p.Text
}

// Place says where a bundle and its configuration are.
type Place struct {
	// Dir is the directory of the bundle, the current one when empty.
	Dir string
	// Config is the path of the configuration, config.json in Dir when empty.
	Config string
	// Interrupt ends the wait for a configuration that comes through a pipe.
	Interrupt *linux.Interrupt
}

// at returns the problem as an error that names the file.
func (p Place) at(problem Problem) error {
	if p.Config == "" {
		return problem
	}
	return fileProblem{problem, p.Config}
}

// fileProblem is a problem in a configuration that is not called config.json.
type fileProblem struct {
	Problem
	file string
}

func (p fileProblem) Error() string { return p.file + ": " + p.Sentence() }

// Load reads a bundle and validates it. The warnings are for the log; the first problem
// that prevents creating the container is the error.
func Load(from Place) (b *Bundle, warnings []error, err error) {
	b, err = Read(from)
	if err != nil {
		return nil, nil, err
	}
	problems, more := Validate(b.Spec)
	for _, w := range append(b.Unknown, more...) {
		warnings = append(warnings, from.at(w))
	}
	if len(problems) > 0 {
		return nil, warnings, from.at(problems[0])
	}
	if err := b.findRootfs(); err != nil {
		return nil, warnings, from.at(asProblem(err))
	}
	return b, warnings, nil
}

// open finds the directory of a bundle and reads its configuration.
func (p Place) open() (path string, raw []byte, err error) {
	dir := cmp.Or(p.Dir, ".")
	if path, err = filepath.Abs(dir); err != nil {
		return "", nil, fmt.Errorf("bundle %q: %w", dir, err)
	}
	if p.Config != "" {
		raw, err = readAnyFile(p.Interrupt, p.Config)
	} else {
		raw, err = readConfig(filepath.Join(path, ConfigName))
	}
	return path, raw, err
}

// Read reads a bundle. It checks only the syntax of the configuration.
func Read(from Place) (*Bundle, error) {
	path, raw, err := from.open()
	if err != nil {
		return nil, err
	}
	spec, unknown, err := Decode(raw)
	var problem Problem
	if errors.As(err, &problem) {
		err = from.at(problem)
	}
	if err != nil {
		return nil, err
	}
	return &Bundle{Path: path, Config: from.Config, Spec: spec, Raw: raw, Unknown: unknown}, nil
}

// readAnyFile reads a configuration at a path that the caller gave. It may be a pipe.
func readAnyFile(i *linux.Interrupt, path string) ([]byte, error) {
	raw, err := linux.ReadStream(i, path, maxConfig+1)
	if err != nil {
		return nil, fault.ConfigUnreadable.Errorf("configuration: %w", err)
	}
	if len(raw) > maxConfig {
		return nil, fault.ConfigUnreadable.Errorf("configuration: %s has more than %d bytes", path, maxConfig)
	}
	return raw, nil
}

func readConfig(path string) ([]byte, error) {
	raw, err := linux.ReadFollow(path, maxConfig)
	switch {
	case errors.Is(err, fs.ErrNotExist) && unix.Access(filepath.Dir(path), unix.F_OK) != nil:
		return nil, fault.ConfigUnreadable.Errorf("bundle: %w (there is no such directory)", err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.ConfigUnreadable.Errorf("bundle has no %s: %w (make one with \"coracle spec\")", ConfigName, err)
	case err != nil:
		return nil, fault.ConfigUnreadable.Errorf("bundle: %w", err)
	}
	return raw, nil
}

// Decode decodes a configuration. An error names the property, the line and the column. unknown
// has the properties that the specification does not define; they are ignored
// (config.md#extensibility).
func Decode(raw []byte) (spec *specs.Spec, unknown []Problem, err error) {
	spec = new(specs.Spec)
	extra, err := jsonpos.Unmarshal(raw, spec)
	if err != nil {
		var at *jsonpos.Error
		if errors.As(err, &at) {
			return nil, nil, problemAt(at)
		}
		return nil, nil, err
	}
	for _, e := range extra {
		unknown = append(unknown, problemAt(e))
	}
	return spec, unknown, nil
}

func problemAt(e *jsonpos.Error) Problem {
	return Problem{Property: e.Path, Text: fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)}
}

// findRootfs resolves root.path, which may be relative to the bundle (config.md#root).
func (b *Bundle) findRootfs() error {
	path := b.Spec.Root.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.Path, path)
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return aboutCause("root.path", &os.PathError{Op: "open", Path: path, Err: err}, "rootfs %s: %v", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return aboutCause("root.path", &os.PathError{Op: "open", Path: path, Err: err}, "rootfs %s: %v", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return About("root.path", "rootfs %s is not a directory", path)
	}
	// The kernel gives the path without symbolic links.
	real, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return aboutCause("root.path", &os.PathError{Op: "open", Path: path, Err: err}, "rootfs %s: %v", path, err)
	}
	if real == "/" {
		return About("root.path", "the root of the host cannot be a rootfs")
	}
	b.Rootfs = real
	return nil
}
