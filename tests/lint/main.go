// Lint refuses what has made holes in container runtimes before, wherever it stands in
// the product's code: see rules.go.
//
//	lint [DIRECTORY]
//
// An exception needs a comment at the end of the line, or in the line above it, with the
// rule and the reason:
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
var notProduct = []string{"tests", "internal/docgen", "bench", "bin", "libcontainer/internal/initprog/seccomp/mktables", "libcontainer/internal/initprog/seccomp/libseccomp"}

// rootfsCode are the directories with code that may have the files of a container at
// hand, each without those below it.
var rootfsCode = map[string]bool{
	"libcontainer": true, "libcontainer/internal/initprog/compile": true, "libcontainer/internal/initprog/program": true, "libcontainer/internal/initprog/launch": true,
	"libcontainer/internal/host/source": true, "libcontainer/internal/host/hostfs": true, "internal/foreground/console": true, "libcontainer/internal/host/idmap": true,
	"libcontainer/internal/host/netdevice": true, "libcontainer/internal/linux": true, "libcontainer/internal/initprog/seccomp": true, "internal/foreground/signals": true,
}

// checkTree checks the product below a directory.
func checkTree(top string) ([]string, error) {
	var findings []string
	files := 0
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
		found, err := check(rel, source, rootfsCode[filepath.Dir(rel)])
		findings = append(findings, found...)
		return err
	})
	if err == nil && files == 0 {
		err = fmt.Errorf("%s: no Go files", top)
	}
	return findings, err
}

// check checks one file. rootfs tells that it may have files of a container at hand.
func check(name string, source []byte, rootfs bool) ([]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	c := &checker{set: set, rootfs: rootfs, annotated: name == "libcontainer/internal/oci/bundle/annotations.go", imports: make(map[string]string), allowed: make(map[int]*allowance), lines: make(map[string]bool)}
	c.readImports(file)
	c.readAllowances(file)
	c.walk(file)
	for _, a := range c.allowed {
		if !a.used {
			c.add(a.pos, "allow", "nothing here needs this exception")
		}
	}
	return c.findings(), nil
}
