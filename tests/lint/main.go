// Lint refuses constructs that have caused vulnerabilities in container runtimes, anywhere in the
// product's code (rules.go), and imports that break the layers (layers.go).
//
//	lint [DIRECTORY]
//
// An exception needs a comment at the end of the line or in the line above, with the rule and the
// reason:
//
//	//allow:path a directory of the host, which is trusted
//
// It prints a line for each finding. The status is 1 when there are any.
package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	findings, err := checkTree(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(2)
	}
	for _, f := range findings {
		fmt.Println(f)
	}
	if len(findings) > 0 {
		os.Exit(1)
	}
}

// notProduct are directories whose code never runs on behalf of a user.
var notProduct = []string{
	"tests", "internal/docgen", "bench", "bin", "libcontainer/internal/golden", "libcontainer/internal/initprog/seccomp/mktables", "libcontainer/internal/initprog/seccomp/libseccomp",
}

// trusted are the directories, without their subdirectories, whose code may name files by paths,
// and why. Everywhere else, also in new packages, the rule "path" applies.
var trusted = map[string]string{
	".":                                  "the commands: files that their user names, with the user's rights",
	"libcontainer/internal/host/cgroup":  "the host's cgroup file systems, which have no links",
	"libcontainer/internal/host/systemd": "the socket of the host's systemd",
	"libcontainer/internal/host/rdt":     "the host's resctrl, which has no links",
	"libcontainer/internal/host/trial":   "the host's /proc and /sys, and sources that the caller names, of which nothing is kept",
	"libcontainer/internal/oci/bundle":   "the bundle, which the caller names and has to trust",
	"libcontainer/internal/state":        "the state root, which only its owner can write to",
}

// checkTree checks the product below a directory.
func checkTree(top string) ([]string, error) {
	var findings []string
	files := 0
	imports := make(map[string]map[string]bool) // by directory
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			for _, not := range notProduct {
				if rel == not {
					return fs.SkipDir
				}
			}
			if rel != "." && strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		files++
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(rel))
		if imports[dir] == nil {
			imports[dir] = make(map[string]bool)
		}
		found, err := check(rel, source, trusted[dir] == "", imports[dir])
		findings = append(findings, found...)
		return err
	})
	findings = append(findings, checkLayers(imports)...)
	if err == nil && files == 0 {
		err = fmt.Errorf("%s: no Go files", top)
	}
	return findings, err
}

// isLibrary reports whether a file belongs to the library.
func isLibrary(name string) bool {
	return strings.HasPrefix(name, "libcontainer/")
}

// isInit reports whether what a file says is done by an init.
func isInit(name string) bool {
	return strings.HasPrefix(name, internal+"initprog/compile/") || strings.HasPrefix(name, internal+"initprog/program/")
}

// check checks one file. rootfs reports whether its code may handle files of a container. check
// adds the packages of the product that the file imports to imports.
func check(name string, source []byte, rootfs bool, imports map[string]bool) ([]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	c := &checker{set: set, rootfs: rootfs, library: isLibrary(name), inInit: isInit(name), advises: strings.HasPrefix(name, internal+"doctor/"), annotated: name == "libcontainer/internal/oci/bundle/annotations.go", imports: make(map[string]string), allowed: make(map[int]*allowance), lines: make(map[string]bool)}
	c.readImports(file)
	c.ownImports(imports)
	c.readAllowances(file)
	c.walk(file)
	for _, a := range c.allowed {
		if !a.used {
			c.add(a.pos, "allow", "nothing here needs this exception")
		}
	}
	return c.findings(), nil
}
