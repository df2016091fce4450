// Command mktables writes the tables of system calls of package seccomp.
//
//	go generate ./libcontainer/internal/initprog/seccomp
//
// The numbers come from two public sources. The module golang.org/x/sys, in the version of
// go.mod, has the newest calls and the ABIs that Go supports. Debian's packages of kernel
// headers, in the release that this runs on, have the other ABIs. Calls that are newer than these
// headers are taken from x/sys, because new calls have the same number on all ABIs.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"io/fs"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// abi is a table to write, and its source.
type abi struct {
	name string
	// goarch names the file of x/sys; pkg and header name Debian's.
	goarch, pkg, header string
	// base is added to the numbers of the ABI.
	base int
}

var abis = []abi{
	{name: "X86", goarch: "386"},
	{name: "X86_64", goarch: "amd64"},
	{name: "X32", pkg: "linux-libc-dev-amd64-cross", header: "unistd_x32.h"},
	{name: "ARM", goarch: "arm"},
	{name: "AARCH64", goarch: "arm64"},
	{name: "MIPS", goarch: "mips", base: 4000},
	{name: "MIPS64", goarch: "mips64", base: 5000},
	{name: "MIPS64N32", pkg: "linux-libc-dev-mips-cross", header: "unistd_n32.h"},
	{name: "PPC", goarch: "ppc"},
	{name: "PPC64", goarch: "ppc64"},
	{name: "S390", pkg: "linux-libc-dev-s390x-cross", header: "unistd_32.h"},
	{name: "S390X", goarch: "s390x"},
	{name: "PARISC", pkg: "linux-libc-dev-hppa-cross", header: "unistd_32.h"},
	{name: "PARISC64", pkg: "linux-libc-dev-hppa-cross", header: "unistd_64.h"},
	{name: "RISCV64", goarch: "riscv64"},
	{name: "LOONGARCH64", goarch: "loong64"},
	{name: "M68K", pkg: "linux-libc-dev-m68k-cross", header: "unistd_32.h"},
	{name: "SH", pkg: "linux-libc-dev-sh4-cross", header: "unistd_32.h"},
}

// private are the calls of ARM that are not in its table. Their numbers start at privateBase; the
// table has offsets.
var private = map[string]int{"breakpoint": 1, "cacheflush": 2, "usr26": 3, "usr32": 4, "set_tls": 5, "get_tls": 6}

// privateMark is added to private calls in the table.
const privateMark = 0x4000

// later are calls of single ABIs that are newer than Debian's headers.
var later = map[string]map[string]int{"PARISC": {"cacheflush": 356}, "PARISC64": {"cacheflush": 356}}

// noCall matches entries of the tables that are not calls.
var noCall = regexp.MustCompile(`^(reserved|unused)[0-9]+$|^(syscall_mask|arch_specific_syscall)$`)

// newest is the first number from which on all ABIs have the same calls.
const newest = 424

func main() {
	log.SetFlags(0)
	log.SetPrefix("mktables: ")
	tables := make(map[string]map[string]int)
	debian := newHeaders()
	defer debian.remove()
	module := golang("list", "-m", "-f", "{{.Dir}} {{.Version}}", "golang.org/x/sys")
	dir, version, _ := strings.Cut(module, " ")
	for _, a := range abis {
		if a.goarch != "" {
			tables[a.name] = constants(filepath.Join(dir, "unix", "zsysnum_linux_"+a.goarch+".go"), a.base)
		}
	}
	for _, a := range abis {
		if a.pkg == "" {
			continue
		}
		t := debian.read(a)
		// Calls that are newer than the headers have the same number everywhere.
		last := slices.Max(slices.Collect(maps.Values(filter(t, func(_ string, n int) bool { return n < 512 }))))
		for name, n := range tables["X86_64"] {
			if n > last && n >= newest && tables["AARCH64"][name] == n && tables["PPC64"][name] == n {
				t[name] = n
			}
		}
		maps.Copy(t, later[a.name])
		tables[a.name] = t
	}
	arm := tables["ARM"]
	for name, n := range private {
		arm[name] = privateMark + n
	}
	// The kernel's header has both names for it.
	arm["sync_file_range2"] = arm["arm_sync_file_range"]

	write(tables, version, debian.versions())
}

func golang(args ...string) string {
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		log.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

func filter(t map[string]int, keep func(string, int) bool) map[string]int {
	m := make(map[string]int)
	for name, n := range t {
		if keep(name, n) {
			m[name] = n
		}
	}
	return m
}

var constant = regexp.MustCompile(`(?m)^\tSYS_(\w+)\s*= (\d+)$`)

// constants reads a file of x/sys.
func constants(path string, base int) map[string]int {
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	t := make(map[string]int)
	for _, m := range constant.FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			log.Fatal(err)
		}
		t[strings.ToLower(m[1])] = n - base
	}
	if len(t) < 300 {
		log.Fatalf("%s: only %d system calls", path, len(t))
	}
	return t
}

// headers fetches Debian's packages of kernel headers.
type headers struct {
	dir     string
	fetched map[string]string // package to version
}

func newHeaders() *headers {
	dir, err := os.MkdirTemp("", "mktables")
	if err != nil {
		log.Fatal(err)
	}
	return &headers{dir, make(map[string]string)}
}

func (h *headers) remove() { os.RemoveAll(h.dir) }

func (h *headers) run(name string, args ...string) string {
	cmd := exec.Command(name, args...)
	cmd.Dir = h.dir
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		log.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

var define = regexp.MustCompile(`(?m)^#define __NR_(\w+) \(?(?:\w+ \+ )?(\d+)\)?$`)

// read fetches the package of an ABI and reads its header.
func (h *headers) read(a abi) map[string]int {
	if _, ok := h.fetched[a.pkg]; !ok {
		h.run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", a.pkg)
		debs, err := filepath.Glob(filepath.Join(h.dir, a.pkg+"_*.deb"))
		if err != nil || len(debs) != 1 {
			log.Fatalf("apt-get download %s: no package came", a.pkg)
		}
		h.fetched[a.pkg] = h.run("dpkg-deb", "-f", debs[0], "Version")
		h.run("dpkg-deb", "-x", debs[0], a.pkg)
	}
	var path string
	err := filepath.WalkDir(filepath.Join(h.dir, a.pkg), func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == a.header && filepath.Base(filepath.Dir(p)) == "asm" {
			path = p
		}
		return err
	})
	if err != nil || path == "" {
		log.Fatalf("%s: no %s (%v)", a.pkg, a.header, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	t := make(map[string]int)
	for _, m := range define.FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			log.Fatal(err)
		}
		if m[1] != "syscalls" { // the number of calls
			t[m[1]] = n
		}
	}
	if len(t) < 300 {
		log.Fatalf("%s: only %d system calls", path, len(t))
	}
	return t
}

func (h *headers) versions() string {
	var list []string
	for _, p := range slices.Sorted(maps.Keys(h.fetched)) {
		list = append(list, p+" "+h.fetched[p])
	}
	return strings.Join(list, ", ")
}

func write(tables map[string]map[string]int, module, packages string) {
	all := make(map[string]bool)
	for _, t := range tables {
		for name := range t {
			if !noCall.MatchString(name) {
				all[name] = true
			}
		}
	}
	names := slices.Sorted(maps.Keys(all))

	var b bytes.Buffer
	fmt.Fprintf(&b, "// Code generated by mktables; DO NOT EDIT.\n//\n// From golang.org/x/sys %s and\n", module)
	for p := range strings.SplitSeq(packages, ", ") {
		fmt.Fprintf(&b, "// %s\n", p)
	}
	fmt.Fprintf(&b, "\npackage seccomp\n\n// callNames are the names of all system calls, sorted.\nvar callNames = [...]string{")
	for i, name := range names {
		if i%8 == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%q, ", name)
	}
	b.WriteString("\n}\n")
	for _, a := range abis {
		fmt.Fprintf(&b, "\nvar calls%s = [len(callNames)]int16{", a.name)
		for i, name := range names {
			if i%16 == 0 {
				b.WriteString("\n")
			}
			n, ok := tables[a.name][name]
			if !ok {
				n = -1
			}
			fmt.Fprintf(&b, "%d, ", n)
		}
		b.WriteString("\n}\n")
	}
	code, err := format.Source(b.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("tables.go", code, 0o644); err != nil {
		log.Fatal(err)
	}
}
