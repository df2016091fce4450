package rdt

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"coracle/libcontainer/internal/linux"
)

// Update writes lines to the schemata of the class. When the kernel refuses one, Update restores
// the former lines. restore does the same later.
func (m *Manager) Update(lines []string) (restore func() error, err error) {
	path := filepath.Join(m.saved.Class, schemata)
	former, err := linux.ReadFollow(path, maxFile)
	if err != nil {
		return nil, m.failure(err)
	}
	restore = func() error {
		var failed []error
		for line := range strings.Lines(string(former)) {
			line = strings.TrimSpace(line)
			resource, _, _ := strings.Cut(line, ":")
			changed := slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, resource+":") })
			if resource != "" && changed {
				failed = append(failed, m.write(path, line))
			}
		}
		return errors.Join(failed...)
	}
	for _, line := range lines {
		if err := m.write(path, line); err != nil {
			err = m.failure(fmt.Errorf("set the schema %q: %w", line, err))
			if failed := restore(); failed != nil {
				err = fmt.Errorf("%w; and the former ones could not be restored: %w", err, failed)
			}
			return nil, err
		}
	}
	return restore, nil
}
