package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// checker checks one file.
type checker struct {
	set    *token.FileSet
	rootfs bool
	// library reports whether the file belongs to the library, and inInit whether it is about what
	// an init does, which is another process.
	library, inInit bool
	// advises reports whether the file gives advice to people at a command line.
	advises bool
	// annotated reports whether the file is the one that interprets annotations.
	annotated bool
	imports   map[string]string // paths of imports, by name in the file
	allowed   map[int]*allowance
	found     []finding
	// functions are the functions of the file, with their flags.
	functions []*function
	lines     map[string]bool // findings by line and rule; each is reported once
}

type finding struct {
	pos  token.Position
	text string
}

// allowance is a comment that allows an exception.
type allowance struct {
	pos  token.Pos
	rule string
	used bool
}

// add adds a finding, unless an exception covers it.
func (c *checker) add(pos token.Pos, rule, format string, args ...any) {
	at := c.set.Position(pos)
	for _, line := range []int{at.Line, at.Line - 1} {
		if a := c.allowed[line]; a != nil && a.rule == rule {
			a.used = true
			return
		}
	}
	if key := fmt.Sprint(at.Line, rule); !c.lines[key] {
		c.lines[key] = true
		c.found = append(c.found, finding{at, fmt.Sprintf("%s: %s", rule, fmt.Sprintf(format, args...))})
	}
}

// findings returns the findings in the order of the file.
func (c *checker) findings() []string {
	slices.SortStableFunc(c.found, func(a, b finding) int { return a.pos.Offset - b.pos.Offset })
	var out []string
	for _, f := range c.found {
		out = append(out, fmt.Sprintf("%s:%d: %s", f.pos.Filename, f.pos.Line, f.text))
	}
	return out
}

func (c *checker) readImports(file *ast.File) {
	for _, i := range file.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue
		}
		name := path.Base(p)
		if i.Name != nil {
			name = i.Name.Name
		}
		if name == "." {
			c.add(i.Pos(), "import", "with a dot, the names of %s cannot be told from others", p)
		}
		c.imports[name] = p
	}
	for name, p := range c.imports {
		if c.library && p == "os/signal" {
			c.add(file.Pos(), "process", "%s takes signals from the whole process", name)
		}
		if p == "io/ioutil" {
			c.add(file.Pos(), "import", "%s is what package os is now", name)
		}
	}
}

func (c *checker) readAllowances(file *ast.File) {
	for _, group := range file.Comments {
		for _, comment := range group.List {
			text, ok := strings.CutPrefix(comment.Text, "//allow:")
			if !ok {
				continue
			}
			rule, reason, _ := strings.Cut(text, " ")
			switch {
			case !slices.Contains(rules, rule):
				c.add(comment.Pos(), "allow", "there is no rule %q", rule)
			case len(strings.Fields(reason)) < 2:
				c.add(comment.Pos(), "allow", "an exception needs a reason")
			default:
				c.allowed[c.set.Position(comment.Pos()).Line] = &allowance{pos: comment.Pos(), rule: rule}
			}
		}
	}
}

// called splits a selector into the path of the package and the name in it. The path is empty
// when the selector does not name a package.
func (c *checker) called(e ast.Expr) (pkg, name string) {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	if x, ok := s.X.(*ast.Ident); ok {
		pkg = c.imports[x.Name]
	}
	return pkg, s.Sel.Name
}

// mentions reports whether the expressions have an identifier that ends in one of these suffixes.
func mentions(exprs []ast.Expr, suffixes ...string) bool {
	found := false
	for _, e := range exprs {
		ast.Inspect(e, func(n ast.Node) bool {
			if i, ok := n.(*ast.Ident); ok {
				for _, s := range suffixes {
					found = found || strings.HasSuffix(i.Name, s)
				}
			}
			return !found
		})
	}
	return found
}
