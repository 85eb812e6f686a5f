package jsondoc_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

func TestParsePath(t *testing.T) {
	for _, test := range []struct {
		name, text string
		ok         bool
	}{
		{"one segment", "user", true},
		{"several", "user.names.0", true},
		{"characters of all kinds", "é. .\"\\/~", true},
		{"32 segments", strings.Repeat("a.", 31) + "a", true},
		{"33 segments", strings.Repeat("a.", 32) + "a", false},
		{"empty", "", false},
		{"dot alone", ".", false},
		{"dot first", ".a", false},
		{"dot last", "a.", false},
		{"two dots", "a..b", false},
		{"not UTF-8", "a\xff", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			path, err := jsondoc.ParsePath(test.text)
			if test.ok && (err != nil || path.String() != test.text) || !test.ok && !errors.Is(err, jsondoc.ErrField) {
				t.Errorf("got %q, %v", path.String(), err)
			}
		})
	}
}

const fieldsDoc = `{"user":{"name":"Zo\u00eb","tags":["a",{"x":1},[2]],"":0},"n":null,"0":{"01":true},"\u00e9":7,"e\"\n":8,"last":{}}`

func TestMember(t *testing.T) {
	doc := parse(t, `{"a.b":1,"":2,"e\"\n":3,"é":4,"0":5}`)
	for name, want := range doc.Members() {
		if got, found := doc.Lookup(jsondoc.Member(name)); !found || !got.Equal(want) {
			t.Errorf("%q: %s, %t", name, got, found)
		}
		left, err := jsondoc.Remove(doc, jsondoc.Member(name))
		if _, found := left.Lookup(jsondoc.Member(name)); err != nil || found || left.Len() != doc.Len()-1 {
			t.Errorf("%q: %s, %v", name, left, err)
		}
	}
	if _, found := doc.Lookup(jsondoc.Member("a")); found {
		t.Error("a is found")
	}
}

func TestLookup(t *testing.T) {
	for path, want := range map[string]string{
		"user.name":     `"Zo\u00eb"`,
		"user.tags":     `["a",{"x":1},[2]]`,
		"user.tags.0":   `"a"`,
		"user.tags.1.x": `1`,
		"user.tags.2.0": `2`,
		"n":             `null`,
		"0.01":          `true`,
		"é":             `7`,
		"e\"\n":         `8`,
		"last":          `{}`,

		"name":                          "",
		"user.nam":                      "",
		"user.name.x":                   "",
		"user.tags.3":                   "",
		"user.tags.01":                  "",
		"user.tags.-1":                  "",
		"user.tags.-":                   "",
		"user.tags.name":                "",
		"user.tags.9999999999999999999": "",
		"n.x":                           "",
		"last.x":                        "",
	} {
		v, found := parse(t, fieldsDoc).Lookup(parsePath(t, path))
		if found != (want != "") || found && ascii(v) != want {
			t.Errorf("%s: got %s, %v", path, ascii(v), found)
		}
	}
	if _, found := parse(t, fieldsDoc).Lookup(jsondoc.Path{}); found {
		t.Error("the zero path finds something")
	}
	if _, found := (jsondoc.Value{}).Lookup(parsePath(t, "a")); found {
		t.Error("something is in the zero value")
	}
}

func TestSet(t *testing.T) {
	for _, test := range []struct{ name, doc, path, value, want string }{
		{"into an empty object", `{}`, "a", `1`, `{"a":1}`},
		{"another member", `{"a":1}`, "b", `"é"`, `{"a":1,"b":"\u00e9"}`},
		{"in place", `{"a":1,"b":2,"c":3}`, "b", `[]`, `{"a":1,"b":[],"c":3}`},
		{"nested", `{"a":{"b":1}}`, "a.b", `2`, `{"a":{"b":2}}`},
		{"nested and new", `{"a":{"b":1},"z":0}`, "a.c", `2`, `{"a":{"b":1,"c":2},"z":0}`},
		{"objects on the way", `{"a":{}}`, "a.b.c.d", `2`, `{"a":{"b":{"c":{"d":2}}}}`},
		{"numbers on the way are names", `{}`, "a.0", `2`, `{"a":{"0":2}}`},
		{"names are escaped", `{}`, "é\".\n", `2`, `{"\u00e9\"":{"\n":2}}`},
		{"item", `{"a":[1,2,3]}`, "a.1", `{}`, `{"a":[1,{},3]}`},
		{"in an item", `{"a":[{},{"b":1}]}`, "a.0.b", `2`, `{"a":[{"b":2},{"b":1}]}`},
		{"objects on the way in an item", `{"a":[{}]}`, "a.0.b.c", `2`, `{"a":[{"b":{"c":2}}]}`},
		{"null", `{"a":1}`, "a", `null`, `{"a":null}`},
		{"an array as the document", `[1,2]`, "1", `3`, `[1,3]`},

		{"item that is not there", `{"a":[1]}`, "a.1", `2`, ""},
		{"item behind the end", `{"a":[1]}`, "a.-", `2`, ""},
		{"name in a list", `{"a":[1]}`, "a.b", `2`, ""},
		{"below an item that is not there", `{"a":[1]}`, "a.1.b", `2`, ""},
		{"string in the way", `{"a":"b"}`, "a.b", `2`, ""},
		{"null in the way", `{"a":null}`, "a.b", `2`, ""},
		{"item in the way", `{"a":[1]}`, "a.0.b", `2`, ""},
		{"document in the way", `1`, "a", `2`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc := parse(t, test.doc)
			got, err := jsondoc.Set(doc, parsePath(t, test.path), parse(t, test.value))
			if test.want == "" && !errors.Is(err, jsondoc.ErrField) || test.want != "" && (err != nil || ascii(got) != test.want) {
				t.Errorf("got %s, %v", ascii(got), err)
			}
			if err == nil && parse(t, ascii(got)) != got {
				t.Error("the result is not canonical")
			}
			if ascii(doc) != test.doc {
				t.Error("the input has changed")
			}
		})
	}
}

func TestSetDepth(t *testing.T) {
	path := parsePath(t, "a.b")
	if _, err := jsondoc.Set(jsondoc.NewObject(), path, parse(t, nested(30))); err != nil {
		t.Error(err)
	}
	if _, err := jsondoc.Set(jsondoc.NewObject(), path, parse(t, nested(31))); !errors.Is(err, jsondoc.ErrTooDeep) {
		t.Errorf("got %v", err)
	}
}

func TestRemove(t *testing.T) {
	for _, test := range []struct{ name, doc, path, want string }{
		{"the only", `{"a":1}`, "a", `{}`},
		{"first", `{"a":1,"b":2,"c":3}`, "a", `{"b":2,"c":3}`},
		{"middle", `{"a":1,"b":2,"c":3}`, "b", `{"a":1,"c":3}`},
		{"last", `{"a":1,"b":2,"c":3}`, "c", `{"a":1,"b":2}`},
		{"nested", `{"a":{"b":1},"c":2}`, "a.b", `{"a":{},"c":2}`},
		{"the only item", `{"a":[1]}`, "a.0", `{"a":[]}`},
		{"first item", `{"a":[1,2]}`, "a.0", `{"a":[2]}`},
		{"last item", `{"a":[1,2]}`, "a.1", `{"a":[1]}`},
		{"not there", `{"a":1}`, "b", `{"a":1}`},
		{"item that is not there", `{"a":[1]}`, "a.1", `{"a":[1]}`},
		{"below a scalar", `{"a":1}`, "a.b", `{"a":1}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc := parse(t, test.doc)
			got, err := jsondoc.Remove(doc, parsePath(t, test.path))
			if err != nil || ascii(got) != test.want || ascii(doc) != test.doc {
				t.Errorf("got %s, %v", ascii(got), err)
			}
		})
	}
}

func TestZeroPathNamesNothing(t *testing.T) {
	doc := parse(t, fieldsDoc)
	if _, err := jsondoc.Set(doc, jsondoc.Path{}, doc); !errors.Is(err, jsondoc.ErrField) {
		t.Errorf("got %v", err)
	}
	if _, err := jsondoc.Remove(doc, jsondoc.Path{}); !errors.Is(err, jsondoc.ErrField) {
		t.Errorf("got %v", err)
	}
	if got := ascii(jsondoc.Select(doc, []jsondoc.Path{{}})); got != "{}" {
		t.Errorf("got %s", got)
	}
}

func TestSelect(t *testing.T) {
	const doc = `{"user":{"name":"Zo\u00eb","tags":["a",{"x":1,"y":2},[3,4]]},"n":null,"e":{},"z":9}`
	for _, test := range []struct{ name, paths, want string }{
		{"nothing", "", `{}`},
		{"one", "z", `{"z":9}`},
		{"null is something", "n", `{"n":null}`},
		{"in the document's order", "z n", `{"n":null,"z":9}`},
		{"nesting is kept", "user.name", `{"user":{"name":"Zo\u00eb"}}`},
		{"a whole object", "user", `{"user":{"name":"Zo\u00eb","tags":["a",{"x":1,"y":2},[3,4]]}}`},
		{"a part of what is there whole", "user user.name", `{"user":{"name":"Zo\u00eb","tags":["a",{"x":1,"y":2},[3,4]]}}`},
		{"whole after its part", "e.x e", `{"e":{}}`},
		{"first item", "user.tags.0", `{"user":{"tags":["a"]}}`},
		{"items keep their numbers", "user.tags.1.y user.tags.2.1", `{"user":{"tags":[null,{"y":2},[null,4]]}}`},
		{"of what is not there", "x user.x user.name.x user.tags.9 user.tags.1.z user.tags.x e.x n.x", `{}`},
		{"beside what is not there", "user.tags.1.z user.tags.2.9 user.tags.2.0 x z", `{"user":{"tags":[null,null,[3]]},"z":9}`},
		{"the same twice", "z z", `{"z":9}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := parse(t, doc)
			paths := []jsondoc.Path{}
			for text := range strings.FieldsSeq(test.paths) {
				paths = append(paths, parsePath(t, text))
			}
			got := jsondoc.Select(v, paths)
			if ascii(got) != test.want || ascii(v) != doc {
				t.Errorf("got %s, want %s", ascii(got), test.want)
			}
			for i, text := range strings.Fields(test.paths) {
				if paths[i].String() != text {
					t.Error("the paths are in another order")
				}
				want, wanted := v.Lookup(paths[i])
				if is, found := got.Lookup(paths[i]); found != wanted || is != want {
					t.Errorf("%s is %s, want %s", text, ascii(is), ascii(want))
				}
			}
		})
	}
	if got := ascii(jsondoc.Select(parse(t, `[1,2,3]`), []jsondoc.Path{parsePath(t, "1")})); got != `[null,2]` {
		t.Errorf("of an array: %s", got)
	}
	if got := ascii(jsondoc.Select(parse(t, `"a"`), []jsondoc.Path{parsePath(t, "1")})); got != `{}` {
		t.Errorf("of a string: %s", got)
	}
}
