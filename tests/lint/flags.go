package main

import (
	"go/ast"
	"go/token"
)

// readFunctions records, for each function, the initial flags of a variable named flags. After
// that flags may only be added, by |=.
func (c *checker) readFunctions(file *ast.File) {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		fn := &function{from: f.Pos(), to: f.End()}
		c.functions = append(c.functions, fn)
		ast.Inspect(f.Body, func(n ast.Node) bool {
			a, ok := n.(*ast.AssignStmt)
			if !ok || len(a.Lhs) != 1 {
				return true
			}
			if i, ok := a.Lhs[0].(*ast.Ident); !ok || i.Name != "flags" {
				return true
			}
			switch a.Tok {
			case token.DEFINE:
				fn.declared = append(fn.declared, a.Rhs[0])
			case token.ASSIGN, token.AND_ASSIGN, token.AND_NOT_ASSIGN:
				fn.changed = true
			}
			return true
		})
	}
}

type function struct {
	from, to token.Pos
	declared []ast.Expr
	changed  bool // in a way that may remove flags
}

// flagsHold reports whether a call passes a variable named flags that always has a flag.
func (c *checker) flagsHold(call *ast.CallExpr, flag string) bool {
	for _, a := range call.Args {
		i, ok := a.(*ast.Ident)
		if !ok || i.Name != "flags" {
			continue
		}
		for _, f := range c.functions {
			if f.from <= call.Pos() && call.Pos() < f.to {
				var last ast.Expr
				for _, d := range f.declared {
					if d.Pos() < call.Pos() {
						last = d
					}
				}
				return !f.changed && last != nil && mentions([]ast.Expr{last}, flag)
			}
		}
	}
	return false
}
