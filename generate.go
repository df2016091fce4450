//go:build coracle_docs

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"coracle/internal/docgen"
)

// With the build tag coracle_docs the program writes its own manual pages and completions:
// PROGRAM DIRECTORY DATE.
func init() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: PROGRAM DIRECTORY DATE")
		os.Exit(1)
	}
	os.Unsetenv("XDG_RUNTIME_DIR") // the pages must not depend on the user
	for name, content := range docgen.Files(documented(), os.Args[2]) {
		path := filepath.Join(os.Args[1], name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(0)
}
