package kernels

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// dispatch checks one package: what is written in assembly for a level is
// reached only through functions that decide by the level (they name one of
// isa's), and never in a case clause of a lower one.
type dispatch struct {
	fset  *token.FileSet
	files []*ast.File
	// level of package-level names: assembly by its suffix, and whatever uses
	// it unguarded and can itself be guarded (unexported functions, tables).
	level  map[string]string
	faults []string
}

// checkDispatch returns the faults of a package's files, by name.
func checkDispatch(sources map[string]string) []string {
	d := &dispatch{fset: token.NewFileSet(), level: map[string]string{}}
	for name, src := range sources {
		f, err := parser.ParseFile(d.fset, name, src, parser.SkipObjectResolution)
		if err != nil {
			return []string{err.Error()}
		}
		d.files = append(d.files, f)
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body == nil {
				d.assembly(name, fn)
			}
		}
	}
	for n := -1; n != len(d.level); { // until no further name turns out to need a level
		n = len(d.level)
		d.pass(func(name, used, level string, _ token.Pos) {
			if name != "" {
				d.level[name] = level
			}
		})
	}
	d.pass(func(name, used, level string, at token.Pos) {
		d.faults = append(d.faults, fmt.Sprintf("%s: %s is used outside of code for isa.%s", d.fset.Position(at), used, level))
	})
	return d.faults
}

func (d *dispatch) assembly(file string, fn *ast.FuncDecl) {
	name := fn.Name.Name
	for _, l := range []string{"AVX512", "AVX2", "AVX512BF16", "AMXBF16", "AVX512VNNI"} {
		if strings.HasSuffix(name, l) {
			d.level[name] = l
		}
	}
	if d.level[name] == "" {
		d.faults = append(d.faults, fmt.Sprintf("%s: the assembly function %s doesn't name its level", file, name))
	}
	if !strings.HasSuffix(file, "_amd64.go") {
		d.faults = append(d.faults, fmt.Sprintf("%s: the assembly function %s is declared outside of a file for amd64", file, name))
	}
}

// pass reports the unguarded uses: used, of a level, by the declaration name,
// which is "" where it can't be guarded in turn.
func (d *dispatch) pass(report func(name, used, level string, at token.Pos)) {
	for _, f := range d.files {
		for _, decl := range f.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				name := decl.Name.Name
				if decl.Recv != nil || decl.Name.IsExported() || name == "init" {
					name = ""
				}
				if decl.Body != nil {
					allowed := d.level[name]
					if decides(decl.Body) {
						allowed = anyLevel
					}
					d.walk(decl.Body, allowed, name, report)
				}
			case *ast.GenDecl:
				for _, s := range decl.Specs {
					v, ok := s.(*ast.ValueSpec)
					for i := 0; ok && i < len(v.Values); i++ {
						name := v.Names[min(i, len(v.Names)-1)].Name
						d.walk(v.Values[i], d.level[name], name, report)
					}
				}
			}
		}
	}
}

const anyLevel = "any level"

// decides reports whether code names a level.
func decides(body ast.Node) bool {
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "isa" {
				found = true
			}
		}
		return !found
	})
	return found
}

func (d *dispatch) walk(n ast.Node, allowed, name string, report func(name, used, level string, at token.Pos)) {
	ast.Inspect(n, func(m ast.Node) bool {
		switch m := m.(type) {
		case *ast.SelectorExpr: // isa.AVX2 itself, a field, another package's name
			d.walk(m.X, allowed, name, report)
			return false
		case *ast.CaseClause:
			inner := allowed
			if len(m.List) == 1 {
				if s, ok := m.List[0].(*ast.SelectorExpr); ok && (strings.HasPrefix(s.Sel.Name, "AVX") || strings.HasPrefix(s.Sel.Name, "AMX") || s.Sel.Name == "Portable") {
					inner = s.Sel.Name
				}
			}
			for _, s := range m.Body {
				d.walk(s, inner, name, report)
			}
			return false
		case *ast.KeyValueExpr: // a field's name is no use
			d.walk(m.Value, allowed, name, report)
			return false
		case *ast.Ident:
			l := d.level[m.Name]
			if l == "" || l == allowed || allowed == anyLevel || l == "AVX2" && allowed == "AVX512" || strings.HasPrefix(l, "AVX512") && strings.HasSuffix(allowed, "BF16") || l == "AVX512" && allowed == "AVX512VNNI" {
				return true
			}
			if allowed != "" {
				name = "" // guarded, but wrongly
			}
			report(name, m.Name, l, m.Pos())
		}
		return true
	})
}

func TestAssemblyIsReachedThroughItsLevelOnly(t *testing.T) {
	packages := map[string]map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), "_") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		dir := filepath.Dir(path)
		if packages[dir] == nil {
			packages[dir] = map[string]string{}
		}
		packages[dir][path] = readFile(t, path)
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(packages), 6)
	for _, sources := range packages {
		for _, f := range checkDispatch(sources) {
			t.Error(f)
		}
	}
}

func TestDispatchRulesFire(t *testing.T) {
	const ok = `package p
//go:noescape
func addAVX2(x []float32)
func tail() { addAVX2(nil) }
var avx2 = T{add: addAVX2, tail: tail}
func For(l isa.Level) *T {
	switch l {
	case isa.AVX2:
		return &avx2
	}
	return nil
}
`
	check := func(file, src string) string { return strings.Join(checkDispatch(map[string]string{file: src}), "\n") }
	require.Empty(t, check("p_amd64.go", ok))
	for _, c := range []struct{ want, old, new string }{
		{"addAVX2 is used outside", "func tail() {", "func Tail() {"},
		{"tail is used outside", "		return &avx2", "		return &avx2\n	case isa.Portable: tail()"},
		{"tail is used outside", "func For(", "func (t *T) M() { tail() }\nfunc For("},
		{"avx2 is used outside", "case isa.AVX2", "case isa.Portable"},
		{"avx2 is used outside", "switch l {\n	case isa.AVX2:\n		return &avx2\n	}\n	return nil", "return &avx2"},
		{"mulAVX512 is used outside", "func tail() {", "func mulAVX512()\nfunc tail() { switch l { case isa.AVX2: mulAVX512() };"},
		{"mul doesn't name its level", "//go:noescape", "func mul(x []float32)\n//go:noescape"},
	} {
		src := strings.Replace(ok, c.old, c.new, 1)
		require.NotEqual(t, ok, src)
		require.Contains(t, check("p_amd64.go", src), c.want, src)
	}
	require.Contains(t, check("p.go", ok), "outside of a file for amd64")
}
