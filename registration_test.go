package caddysession

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/internal/longtest"
)

// source is what Caddy's website reads: the source of the packages, which it does not run.
type source struct {
	types      map[string]declared // by package and name
	registered []string            // types that an init function registers
	ids        map[string]string   // the module of a type
}

// declared is a type and where it stands, for the names in it.
type declared struct {
	spec *ast.TypeSpec
	doc  string
	file *ast.File
	pkg  string
}

func readSource(t *testing.T) *source {
	t.Helper()
	s := &source{types: make(map[string]declared), ids: make(map[string]string)}
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range file.Decls {
				switch decl := decl.(type) {
				case *ast.GenDecl:
					s.addTypes(decl, file, p.ImportPath)
				case *ast.FuncDecl:
					s.addFunc(t, decl, p.ImportPath)
				}
			}
		}
	}
	return s
}

func (s *source) addTypes(decl *ast.GenDecl, file *ast.File, pkg string) {
	for _, spec := range decl.Specs {
		if spec, ok := spec.(*ast.TypeSpec); ok {
			doc := spec.Doc.Text()
			if doc == "" {
				doc = decl.Doc.Text()
			}
			s.types[pkg+"."+spec.Name.Name] = declared{spec, doc, file, pkg}
		}
	}
}

func (s *source) addFunc(t *testing.T, decl *ast.FuncDecl, pkg string) {
	t.Helper()
	switch {
	case decl.Recv == nil && decl.Name.Name == "init":
		ast.Inspect(decl, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && called(call.Fun) == "caddy.RegisterModule" {
				name := made(call.Args[0])
				if name == "" {
					t.Errorf("%s: what RegisterModule gets is neither T{} nor new(T)", pkg)
				}
				s.registered = append(s.registered, pkg+"."+name)
			}
			return true
		})
	case decl.Recv != nil && decl.Name.Name == "CaddyModule":
		of := decl.Recv.List[0].Type
		if star, ok := of.(*ast.StarExpr); ok {
			of = star.X
		}
		s.ids[pkg+"."+of.(*ast.Ident).Name] = literalID(decl.Body)
	}
}

// called returns the name of a called function, with its package.
func called(fun ast.Expr) string {
	if selector, ok := fun.(*ast.SelectorExpr); ok {
		if pkg, ok := selector.X.(*ast.Ident); ok {
			return pkg.Name + "." + selector.Sel.Name
		}
	}
	return ""
}

// made returns the T of T{} or new(T).
func made(value ast.Expr) string {
	switch value := value.(type) {
	case *ast.CompositeLit:
		if name, ok := value.Type.(*ast.Ident); ok {
			return name.Name
		}
	case *ast.CallExpr:
		if fun, ok := value.Fun.(*ast.Ident); ok && fun.Name == "new" {
			if name, ok := value.Args[0].(*ast.Ident); ok {
				return name.Name
			}
		}
	}
	return ""
}

// literalID returns the ID of the only statement, return caddy.ModuleInfo{ID: "…"}.
func literalID(body *ast.BlockStmt) string {
	if len(body.List) != 1 {
		return ""
	}
	stmt, ok := body.List[0].(*ast.ReturnStmt)
	if !ok {
		return ""
	}
	info, ok := stmt.Results[0].(*ast.CompositeLit)
	if !ok || called(info.Type) != "caddy.ModuleInfo" {
		return ""
	}
	for _, element := range info.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok && pair.Key.(*ast.Ident).Name == "ID" {
			if text, ok := pair.Value.(*ast.BasicLit); ok && text.Kind == token.STRING {
				id, _ := strconv.Unquote(text.Value)
				return id
			}
		}
	}
	return ""
}

// TestRegistration reads the modules as Caddy's website does for its documentation, and has a
// comment for each of them and for each field.
func TestRegistration(t *testing.T) {
	longtest.Test(t)
	s := readSource(t)
	var ids []string
	documented := make(map[string]bool)
	for _, name := range s.registered {
		if s.ids[name] == "" {
			t.Errorf("%s: CaddyModule does not return caddy.ModuleInfo with a literal ID", name)
		}
		ids = append(ids, s.ids[name])
		s.document(t, name, documented)
	}
	for _, id := range caddy.Modules() {
		if strings.Contains(id, "session") && !slices.Contains(ids, id) {
			t.Errorf("%s is registered, and its source is not found", id)
		}
	}
	for _, id := range []string{"http.session.stores.memcached", "http.session.stores.mongodb", "http.session.stores.sql"} {
		if !slices.Contains(ids, id) {
			t.Errorf("the source of %s is not found", id)
		}
	}
	if len(documented) < len(ids) || len(ids) < 19 {
		t.Errorf("there are %d types of %d modules", len(documented), len(ids))
	}
}

// document reports what has no comment in a type, and in the types of its fields.
func (s *source) document(t *testing.T, name string, done map[string]bool) {
	t.Helper()
	of, ours := s.types[name]
	if !ours || done[name] {
		return
	}
	done[name] = true
	if !of.spec.Name.IsExported() || !strings.HasPrefix(of.doc, of.spec.Name.Name+" ") {
		t.Errorf("%s: it is not exported, or its comment does not begin with its name", name)
	}
	fields, ok := of.spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range fields.Fields.List {
		var tag reflect.StructTag
		if field.Tag != nil {
			text, _ := strconv.Unquote(field.Tag.Value)
			tag = reflect.StructTag(text)
		}
		key, _, _ := strings.Cut(tag.Get("json"), ",")
		if key == "" || key == "-" {
			continue
		}
		if field.Doc.Text() == "" {
			t.Errorf("%s: the field %s has no comment", name, key)
		}
		ast.Inspect(field.Type, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if called(n) == "json.RawMessage" && !strings.Contains(tag.Get("caddy"), "namespace=") {
					t.Errorf("%s: the field %s does not say which modules it holds", name, key)
				}
				s.document(t, of.imported(n), done)
				return false
			case *ast.Ident:
				s.document(t, of.pkg+"."+n.Name, done)
			}
			return true
		})
	}
}

// imported returns the package and name of a type of another package.
func (d declared) imported(selector *ast.SelectorExpr) string {
	short := selector.X.(*ast.Ident).Name
	for _, spec := range d.file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		if (spec.Name != nil && spec.Name.Name == short) || (spec.Name == nil && strings.HasSuffix(path, "/"+short)) {
			return path + "." + selector.Sel.Name
		}
	}
	return ""
}
