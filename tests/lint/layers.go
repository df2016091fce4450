package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// module is the path of the module.
const module = "coracle"

// internal is the directory of the library's internal packages.
const internal = "libcontainer/internal/"

// layers has, for each package of the product, the packages of the product that it may import.
// Arrows point down: a package is below all packages that import it. A package that is not listed
// is an error, so that whoever adds one decides on its layer.
var layers = map[string][]string{
	// The commands, and what only commands need.
	".":                           {"libcontainer", "internal/foreground", "internal/docgen", "internal/early", "internal/early/*"},
	"internal/early":              {},
	"internal/early/monitor":      {},
	"internal/docgen":             {},
	"internal/foreground":         {"libcontainer", "internal/foreground/*"},
	"internal/foreground/console": {},
	"internal/foreground/signals": {},

	// The library.
	"libcontainer": {internal + "*"},

	// The host, examined.
	internal + "doctor": {internal + "host/*", internal + "initprog/launch", internal + "initprog/seccomp", internal + "oci", internal + "oci/*", internal + "linux"},

	// A container, looked at.
	internal + "inspect": {internal + "initprog/seccomp", internal + "oci", internal + "oci/*", internal + "linux"},

	// The way into the container.
	internal + "initprog/compile":  {internal + "initprog/program", internal + "initprog/protocol", internal + "initprog/seccomp", internal + "oci", internal + "oci/*", internal + "host/source", internal + "fault"},
	internal + "initprog/launch":   {internal + "initprog/program", internal + "initprog/protocol", internal + "linux", internal + "fault", internal + "failpoint"},
	internal + "initprog/program":  {internal + "initprog/protocol", internal + "failpoint", internal + "fault"},
	internal + "initprog/protocol": {},
	internal + "initprog/seccomp":  {},

	// What is done to the host.
	internal + "host/cgroup":    {internal + "host/systemd", internal + "oci", internal + "oci/*", internal + "linux", internal + "fault", internal + "failpoint"},
	internal + "host/systemd":   {internal + "oci", internal + "oci/*", internal + "linux", internal + "fault"},
	internal + "host/rdt":       {internal + "oci", internal + "oci/*", internal + "linux"},
	internal + "host/netdevice": {internal + "oci", internal + "oci/*", internal + "linux", internal + "fault"},
	internal + "host/idmap":     {internal + "oci", internal + "oci/*", internal + "linux"},
	internal + "host/source":    {internal + "oci", internal + "oci/*", internal + "linux", internal + "linux/aside", internal + "initprog/launch", internal + "initprog/program", internal + "initprog/protocol", internal + "fault"},
	internal + "host/trial":     {internal + "oci", internal + "oci/*", internal + "linux"},
	internal + "host/hostfs":    {internal + "linux"},
	internal + "state":          {internal + "host/cgroup", internal + "host/rdt", internal + "oci/jsonpos", internal + "linux", internal + "fault", internal + "failpoint"},

	// The vocabulary of the specification.
	internal + "oci":         {},
	internal + "oci/bundle":  {internal + "oci", internal + "oci/jsonpos", internal + "initprog/seccomp", internal + "linux", internal + "fault"},
	internal + "oci/jsonpos": {},

	// System calls and /proc.
	internal + "linux":       {internal + "fault"},
	internal + "linux/aside": {},
	internal + "failpoint":   {},
	internal + "fault":       {},
}

// checkLayers compares the imports of the product, by directory, with the layers.
func checkLayers(imports map[string]map[string]bool) (findings []string) {
	for _, dir := range slices.Sorted(maps.Keys(imports)) {
		allowed, known := layers[dir]
		if !known {
			findings = append(findings, fmt.Sprintf("%s: layers: this package is not in the table in tests/lint/layers.go", dir))
			continue
		}
		for _, i := range slices.Sorted(maps.Keys(imports[dir])) {
			if !slices.ContainsFunc(allowed, func(a string) bool { return isBelow(i, a) }) {
				findings = append(findings, fmt.Sprintf("%s: layers: it may not import %s", dir, i))
			}
		}
	}
	return findings
}

// isBelow reports whether a directory matches a pattern: it is equal, or below it when the
// pattern ends in *.
func isBelow(dir, pattern string) bool {
	if base, ok := strings.CutSuffix(pattern, "/*"); ok {
		return strings.HasPrefix(dir, base+"/")
	}
	return dir == pattern
}

// ownImports adds the packages of the product that a file imports.
func (c *checker) ownImports(into map[string]bool) {
	for _, p := range c.imports {
		if rest, ok := strings.CutPrefix(p, module+"/"); ok {
			into[filepath.ToSlash(rest)] = true
		}
	}
}
