package jsondoc_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// patchCases have a result, or an error that is found when the patch is parsed or applied.
var patchCases = []struct{ name, doc, patch, want, err string }{
	// RFC 6902, appendix A.
	{"A.1 add a member", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux"}]`, `{"foo":"bar","baz":"qux"}`, ""},
	{"A.2 add an item", `{"foo":["bar","baz"]}`, `[{"op":"add","path":"/foo/1","value":"qux"}]`, `{"foo":["bar","qux","baz"]}`, ""},
	{"A.3 remove a member", `{"baz":"qux","foo":"bar"}`, `[{"op":"remove","path":"/baz"}]`, `{"foo":"bar"}`, ""},
	{"A.4 remove an item", `{"foo":["bar","qux","baz"]}`, `[{"op":"remove","path":"/foo/1"}]`, `{"foo":["bar","baz"]}`, ""},
	{"A.5 replace", `{"baz":"qux","foo":"bar"}`, `[{"op":"replace","path":"/baz","value":"boo"}]`, `{"baz":"boo","foo":"bar"}`, ""},
	{"A.6 move a value", `{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}`,
		`[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]`, `{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}`, ""},
	{"A.7 move an item", `{"foo":["all","grass","cows","eat"]}`, `[{"op":"move","from":"/foo/1","path":"/foo/3"}]`, `{"foo":["all","cows","eat","grass"]}`, ""},
	{"A.8 test", `{"baz":"qux","foo":["a",2,"c"]}`, `[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]`, `{"baz":"qux","foo":["a",2,"c"]}`, ""},
	{"A.9 test fails", `{"baz":"qux"}`, `[{"op":"test","path":"/baz","value":"bar"}]`, "", "operation 0 (test): its value is not what the document has"},
	{"A.10 add nested", `{"foo":"bar"}`, `[{"op":"add","path":"/child","value":{"grandchild":{}}}]`, `{"foo":"bar","child":{"grandchild":{}}}`, ""},
	{"A.11 unknown members", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux","xyz":123}]`, `{"foo":"bar","baz":"qux"}`, ""},
	{"A.12 no parent", `{"foo":"bar"}`, `[{"op":"add","path":"/baz/bat","value":"qux"}]`, "", "operation 0 (add): its path has no parent array or object"},
	{"A.13 two ops", `{}`, `[{"op":"add","path":"/baz","value":"qux","op":"remove"}]`, "", "duplicate key at byte 41"},
	{"A.14 escapes", `{"/":9,"~1":10}`, `[{"op":"test","path":"/~01","value":10}]`, `{"/":9,"~1":10}`, ""},
	{"A.15 string and number", `{"/":9,"~1":10}`, `[{"op":"test","path":"/~01","value":"10"}]`, "", "operation 0 (test): its value is not what the document has"},
	{"A.16 add an array", `{"foo":["bar"]}`, `[{"op":"add","path":"/foo/-","value":["abc","def"]}]`, `{"foo":["bar",["abc","def"]]}`, ""},

	// Pointers: RFC 6901, section 5, and what is at their edges.
	{"names that need care", `{"":0,"a/b":1,"c%d":2,"i\\j":5,"k\"l":6," ":7,"m~n":8,"\u00e9\ud800":9,"~0":10}`,
		`[{"op":"test","path":"/","value":0},{"op":"test","path":"/a~1b","value":1},{"op":"test","path":"/c%d","value":2},
		  {"op":"test","path":"/i\\j","value":5},{"op":"test","path":"/k\"l","value":6},{"op":"test","path":"/ ","value":7},
		  {"op":"test","path":"/m~0n","value":8},{"op":"test","path":"/é\ud800","value":9},{"op":"test","path":"/~00","value":10},
		  {"op":"test","path":"\u002fa\u007e1b","value":1}]`,
		`{"":0,"a/b":1,"c%d":2,"i\\j":5,"k\"l":6," ":7,"m~n":8,"\u00e9\ud800":9,"~0":10}`, ""},
	{"empty names", `{"":{"":1}}`, `[{"op":"replace","path":"//","value":2}]`, `{"":{"":2}}`, ""},
	{"new names are escaped", `{}`, `[{"op":"add","path":"/\"\\~1~0\n","value":1}]`, `{"\"\\/~\n":1}`, ""},
	{"number as a name", `{"0":{"01":1}}`, `[{"op":"replace","path":"/0/01","value":2},{"op":"add","path":"/0/-","value":3}]`, `{"0":{"01":2,"-":3}}`, ""},
	{"pointer without a slash", `{}`, `[{"op":"add","path":"a","value":1}]`, "", "operation 0 (add): its path is missing or is not a JSON Pointer"},
	{"pointer with a bare tilde", `{}`, `[{"op":"add","path":"/a~","value":1}]`, "", "operation 0 (add): its path is missing or is not a JSON Pointer"},
	{"pointer with an unknown escape", `{}`, `[{"op":"add","path":"/a~2","value":1}]`, "", "operation 0 (add): its path is missing or is not a JSON Pointer"},
	{"path is not a string", `{}`, `[{"op":"remove","path":1}]`, "", "operation 0 (remove): its path is missing or is not a JSON Pointer"},
	{"from is no pointer", `{}`, `[{"op":"copy","from":"x","path":"/a"}]`, "", "operation 0 (copy): its from is missing or is not a JSON Pointer"},

	// The shape of a patch.
	{"no operations", `{"a":1}`, `[]`, `{"a":1}`, ""},
	{"an object", `{}`, `{}`, "", "a JSON Patch is an array"},
	{"operation is no object", `{}`, `[[]]`, "", "operation 0: it is not an object"},
	{"no op", `{}`, `[{"path":"/a"}]`, "", "operation 0: its op is missing or unknown; known are add, remove, replace, move, copy, test, increment and append"},
	{"op is no string", `{}`, `[{"op":1,"path":"/a"}]`, "", "operation 0: its op is missing or unknown; known are add, remove, replace, move, copy, test, increment and append"},
	{"unknown op", `{}`, `[{"op":"test","path":"","value":{}},{"op":"secret","path":"/a"}]`, "", "operation 1: its op is missing or unknown; known are add, remove, replace, move, copy, test, increment and append"},
	{"op in capitals", `{}`, `[{"op":"ADD","path":"/a","value":1}]`, "", "operation 0: its op is missing or unknown; known are add, remove, replace, move, copy, test, increment and append"},
	{"op escaped", `{}`, `[{"op":"\u0061dd","path":"/a","value":1}]`, `{"a":1}`, ""},
	{"no path", `{}`, `[{"op":"add","value":1}]`, "", "operation 0 (add): its path is missing or is not a JSON Pointer"},
	{"no value", `{}`, `[{"op":"add","path":"/a"}]`, "", "operation 0 (add): it has no value"},
	{"no value to test", `{"a":null}`, `[{"op":"test","path":"/a"}]`, "", "operation 0 (test): it has no value"},
	{"no value to replace", `{"a":1}`, `[{"op":"replace","path":"/a"}]`, "", "operation 0 (replace): it has no value"},
	{"no value to append", `{"a":[]}`, `[{"op":"append","path":"/a"}]`, "", "operation 0 (append): it has no value"},
	{"no value to add up", `{"a":1}`, `[{"op":"increment","path":"/a"}]`, "", "operation 0 (increment): it has no value"},
	{"no from", `{}`, `[{"op":"move","path":"/a"}]`, "", "operation 0 (move): its from is missing or is not a JSON Pointer"},
	{"null is a value", `{}`, `[{"op":"add","path":"/a","value":null}]`, `{"a":null}`, ""},
	{"members in any order", `{}`, `[{"value":1,"path":"/a","op":"add"}]`, `{"a":1}`, ""},

	// add
	{"add replaces in place", `{"a":1,"b":2}`, `[{"op":"add","path":"/a","value":[]}]`, `{"a":[],"b":2}`, ""},
	{"add the document", `{"a":1}`, `[{"op":"add","path":"","value":[1]}]`, `[1]`, ""},
	{"add to the document just added", `{"a":1}`, `[{"op":"add","path":"","value":[1]},{"op":"add","path":"/-","value":2}]`, `[1,2]`, ""},
	{"add first", `[1,2]`, `[{"op":"add","path":"/0","value":0}]`, `[0,1,2]`, ""},
	{"add last", `[1,2]`, `[{"op":"add","path":"/2","value":3}]`, `[1,2,3]`, ""},
	{"add to an empty list", `[]`, `[{"op":"add","path":"/0","value":1}]`, `[1]`, ""},
	{"add beyond", `[1,2]`, `[{"op":"add","path":"/3","value":3}]`, "", "operation 0 (add): its path does not end in an index of the array"},
	{"add at a negative index", `[1]`, `[{"op":"add","path":"/-1","value":3}]`, "", "operation 0 (add): its path does not end in an index of the array"},
	{"add with a leading zero", `[1,2]`, `[{"op":"add","path":"/01","value":3}]`, "", "operation 0 (add): its path does not end in an index of the array"},
	{"add at a name in a list", `[1]`, `[{"op":"add","path":"/a","value":3}]`, "", "operation 0 (add): its path does not end in an index of the array"},
	{"add at an index that overflows", `[1]`, `[{"op":"add","path":"/18446744073709551616","value":3}]`, "", "operation 0 (add): its path does not end in an index of the array"},
	{"add into a scalar", `{"a":"b"}`, `[{"op":"add","path":"/a/b","value":3}]`, "", "operation 0 (add): its path has no parent array or object"},
	{"add into a scalar document", `1`, `[{"op":"add","path":"/a","value":3}]`, "", "operation 0 (add): its path has no parent array or object"},
	{"add behind the end", `{"a":[[]]}`, `[{"op":"add","path":"/a/-/0","value":3}]`, "", "operation 0 (add): its path has no parent array or object"},
	{"add a member after removing it", `{"a":1,"b":2}`, `[{"op":"remove","path":"/a"},{"op":"add","path":"/a","value":3}]`, `{"b":2,"a":3}`, ""},

	// remove
	{"remove all", `{"a":1,"b":[1]}`, `[{"op":"remove","path":"/b/0"},{"op":"remove","path":"/a"},{"op":"remove","path":"/b"}]`, `{}`, ""},
	{"remove twice", `{"a":1}`, `[{"op":"remove","path":"/a"},{"op":"remove","path":"/a"}]`, "", "operation 1 (remove): nothing exists at its path"},
	{"remove what is not there", `{"a":1}`, `[{"op":"remove","path":"/b"}]`, "", "operation 0 (remove): nothing exists at its path"},
	{"remove below what is not there", `{"a":1}`, `[{"op":"remove","path":"/b/c/d"}]`, "", "operation 0 (remove): nothing exists at its path"},
	{"remove behind the end", `[1]`, `[{"op":"remove","path":"/-"}]`, "", "operation 0 (remove): nothing exists at its path"},
	{"remove beyond", `[1]`, `[{"op":"remove","path":"/1"}]`, "", "operation 0 (remove): nothing exists at its path"},
	{"remove at a negative index", `[1]`, `[{"op":"remove","path":"/-1"}]`, "", "operation 0 (remove): nothing exists at its path"},
	{"remove with an exponent", `[1,2]`, `[{"op":"remove","path":"/1e0"}]`, "", "operation 0 (remove): nothing exists at its path"},
	{"remove the document", `{}`, `[{"op":"remove","path":""}]`, "", "operation 0 (remove): the whole document cannot be removed"},

	// replace
	{"replace the document", `{"a":1}`, `[{"op":"replace","path":"","value":{"b":2}}]`, `{"b":2}`, ""},
	{"replace an item", `[1,2]`, `[{"op":"replace","path":"/1","value":[3]}]`, `[1,[3]]`, ""},
	{"replace null", `{"a":null}`, `[{"op":"replace","path":"/a","value":1}]`, `{"a":1}`, ""},
	{"replace what is not there", `{"a":1}`, `[{"op":"replace","path":"/b","value":1}]`, "", "operation 0 (replace): nothing exists at its path"},
	{"replace behind the end", `[1]`, `[{"op":"replace","path":"/-","value":1}]`, "", "operation 0 (replace): nothing exists at its path"},
	{"replace in what is not there", `{"a":1}`, `[{"op":"replace","path":"/a/b","value":1}]`, "", "operation 0 (replace): nothing exists at its path"},

	// move
	{"move to itself", `{"a":1,"b":2}`, `[{"op":"move","from":"/a","path":"/a"}]`, `{"a":1,"b":2}`, ""},
	{"move the document to itself", `{"a":1}`, `[{"op":"move","from":"","path":""}]`, `{"a":1}`, ""},
	{"move what is not there to itself", `{"a":1}`, `[{"op":"move","from":"/b","path":"/b"}]`, "", "operation 0 (move): nothing exists at its from"},
	{"move over another", `{"a":1,"b":{"c":2}}`, `[{"op":"move","from":"/b/c","path":"/a"}]`, `{"a":2,"b":{}}`, ""},
	{"move to the document", `{"a":{"b":2}}`, `[{"op":"move","from":"/a","path":""}]`, `{"b":2}`, ""},
	{"move null", `{"a":null}`, `[{"op":"move","from":"/a","path":"/b"}]`, `{"b":null}`, ""},
	{"move an item to the end", `[1,2,3]`, `[{"op":"move","from":"/0","path":"/-"}]`, `[2,3,1]`, ""},
	{"move an item beyond", `[1,2,3]`, `[{"op":"move","from":"/0","path":"/3"}]`, "", "operation 0 (move): its path does not end in an index of the array"},
	{"move what holds the way", `[[1],[2]]`, `[{"op":"move","from":"/0","path":"/1/0"}]`, "", "operation 0 (move): its path has no parent array or object"},
	{"move into itself", `{"a":{}}`, `[{"op":"move","from":"/a","path":"/a/b"}]`, "", "operation 0 (move): it moves a value into itself"},
	{"move the document into itself", `{"a":{}}`, `[{"op":"move","from":"","path":"/a"}]`, "", "operation 0 (move): it moves a value into itself"},
	{"move to a name with the same beginning", `{"a":{},"ab":{}}`, `[{"op":"move","from":"/a","path":"/ab/c"}]`, `{"ab":{"c":{}}}`, ""},

	// copy
	{"copy into itself", `{"a":{"x":1}}`, `[{"op":"copy","from":"/a","path":"/a/b"},{"op":"copy","from":"/a","path":"/a/c"}]`, `{"a":{"x":1,"b":{"x":1},"c":{"x":1,"b":{"x":1}}}}`, ""},
	{"copy the document", `{"a":1}`, `[{"op":"copy","from":"","path":"/b"},{"op":"add","path":"/b/a","value":2}]`, `{"a":1,"b":{"a":2}}`, ""},
	{"copy to the document", `{"a":{"b":[1]}}`, `[{"op":"copy","from":"/a","path":""},{"op":"add","path":"/b/-","value":2}]`, `{"b":[1,2]}`, ""},
	{"copy, then change the copy", `{"a":{"b":[{"c":1}]}}`, `[{"op":"copy","from":"/a","path":"/d"},{"op":"replace","path":"/d/b/0/c","value":2}]`, `{"a":{"b":[{"c":1}]},"d":{"b":[{"c":2}]}}`, ""},
	{"copy, then change the source", `{"a":{"b":[{"c":1}]}}`, `[{"op":"copy","from":"/a","path":"/d"},{"op":"remove","path":"/a/b/0/c"}]`, `{"a":{"b":[{}]},"d":{"b":[{"c":1}]}}`, ""},
	{"copy of a copy", `{"a":{"b":[1]}}`, `[{"op":"copy","from":"/a","path":"/c"},{"op":"copy","from":"/c/b","path":"/a/d"},{"op":"add","path":"/c/b/0","value":0},{"op":"increment","path":"/a/d/0","value":5}]`,
		`{"a":{"b":[1],"d":[6]},"c":{"b":[0,1]}}`, ""},
	{"copy what is not there", `{"a":1}`, `[{"op":"copy","from":"/b","path":"/c"}]`, "", "operation 0 (copy): nothing exists at its from"},
	{"copy from behind the end", `[1]`, `[{"op":"copy","from":"/-","path":"/0"}]`, "", "operation 0 (copy): nothing exists at its from"},

	// test
	{"test the document", `{"a":[1]}`, `[{"op":"test","path":"","value":{"a":[1.0]}}]`, `{"a":[1]}`, ""},
	{"test numerically", `{"a":1}`, `[{"op":"test","path":"/a","value":10e-1}]`, `{"a":1}`, ""},
	{"test members in any order", `{"a":{"x":1,"y":[2]}}`, `[{"op":"test","path":"/a","value":{"y":[2],"x":1}}]`, `{"a":{"x":1,"y":[2]}}`, ""},
	{"test null against nothing", `{}`, `[{"op":"test","path":"/a","value":null}]`, "", "operation 0 (test): nothing exists at its path"},
	{"test what an earlier operation did", `{"a":[]}`, `[{"op":"add","path":"/a/0","value":{"b":1}},{"op":"remove","path":"/a/0/b"},{"op":"test","path":"","value":{"a":[{}]}}]`, `{"a":[{}]}`, ""},
	{"test a removed member", `{"a":1,"b":2}`, `[{"op":"remove","path":"/a"},{"op":"test","path":"","value":{"a":1,"b":2}}]`, "", "operation 1 (test): its value is not what the document has"},

	{"nothing happens if the last fails", `{"a":1}`, `[{"op":"add","path":"/b","value":1},{"op":"increment","path":"/a","value":1},{"op":"test","path":"/a","value":1}]`, "", "operation 2 (test): its value is not what the document has"},
}

func TestPatch(t *testing.T) {
	for _, test := range patchCases {
		t.Run(test.name, func(t *testing.T) {
			doc := parse(t, test.doc)
			got, err := applyText(doc, test.patch)
			if test.err == "" && err != nil || test.err != "" && (err == nil || err.Error() != test.err) {
				t.Fatalf("got %v, want %q", err, test.err)
			}
			if err == nil && ascii(got) != test.want {
				t.Errorf("got %s, want %s", ascii(got), test.want)
			}
			if ascii(doc) != ascii(parse(t, test.doc)) {
				t.Error("the input has changed")
			}
		})
	}
}

func applyText(doc jsondoc.Value, text string) (jsondoc.Value, error) {
	v, err := jsondoc.Parse(text, jsondoc.MaxDepth)
	if err != nil {
		return v, err
	}
	patch, err := jsondoc.ParsePatch(v)
	if err != nil {
		return v, err
	}
	return patch.Apply(doc, jsondoc.NewBudget(noLimit))
}

func TestPatchErrorsDoNotQuote(t *testing.T) {
	const secret = "hunter2"
	doc := parse(t, `{"`+secret+`":"`+secret+`"}`)
	for _, op := range []string{
		`"op":"` + secret + `"`,
		`"op":"remove","path":"` + secret + `"`,
		`"op":"remove","path":"/x` + secret + `"`,
		`"op":"test","path":"/` + secret + `","value":"` + secret + `!"`,
		`"op":"increment","path":"/` + secret + `","value":1`,
		`"op":"increment","path":"/` + secret + `","value":"` + secret + `"`,
	} {
		if _, err := applyText(doc, `[{`+op+`}]`); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func TestPatchOperations(t *testing.T) {
	operations := func(n int) string {
		return "[" + strings.Repeat(`{"op":"increment","path":"/n","value":1},`, n-1) + `{"op":"increment","path":"/n","value":1}]`
	}
	got, err := applyText(jsondoc.NewObject(), operations(jsondoc.MaxOperations))
	if err != nil || ascii(got) != `{"n":256}` {
		t.Errorf("got %s, %v", ascii(got), err)
	}
	if _, err := applyText(jsondoc.NewObject(), operations(jsondoc.MaxOperations+1)); err == nil || err.Error() != "a JSON Patch has at most 256 operations" {
		t.Errorf("got %v", err)
	}
}

func TestPatchDepth(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for _, test := range []struct {
		name, doc, patch string
		ok               bool
	}{
		{"add 31 to a member", `{}`, `[{"op":"add","path":"/a","value":` + nested(31) + `}]`, true},
		{"add 32 to a member", `{}`, `[{"op":"add","path":"/a","value":` + nested(32) + `}]`, false},
		{"add 32 as the document", `{}`, `[{"op":"add","path":"","value":` + nested(32) + `}]`, true},
		{"add 33 as the document", `{}`, `[{"op":"replace","path":"","value":` + nested(33) + `}]`, false},
		{"replace by 31", `{"a":1}`, `[{"op":"replace","path":"/a","value":` + nested(31) + `}]`, true},
		{"replace by 32", `{"a":1}`, `[{"op":"replace","path":"/a","value":` + nested(32) + `}]`, false},
		{"add 31 to a list", `[]`, `[{"op":"add","path":"/0","value":` + nested(31) + `}]`, true},
		{"add 32 to a list", `[]`, `[{"op":"add","path":"/-","value":` + nested(32) + `}]`, false},
		{"copy as deep", `{"a":` + deep(31) + `}`, `[{"op":"copy","from":"/a","path":"/b"}]`, true},
		{"copy deeper", `{"a":` + deep(31) + `,"b":{}}`, `[{"op":"copy","from":"/a","path":"/b/c"}]`, false},
		{"move deeper", `{"a":` + deep(30) + `,"b":{}}`, `[{"op":"move","from":"/a","path":"/b/c"}]`, true},
		{"move too deep", `{"a":` + deep(31) + `,"b":{}}`, `[{"op":"move","from":"/a","path":"/b/c"}]`, false},
		{"move what was opened too deep", `{"a":` + deep(31) + `,"b":{}}`, `[{"op":"add","path":"/a/b","value":1},{"op":"move","from":"/a","path":"/b/c"}]`, false},
		{"add a scalar at the bottom", deep(32), `[{"op":"add","path":"` + strings.Repeat("/a", 31) + `/b","value":1}]`, true},
		{"add an object at the bottom", deep(32), `[{"op":"add","path":"` + strings.Repeat("/a", 31) + `/b","value":{}}]`, false},
		{"double depth by copying", `{"a":{}}`, `[` + strings.Repeat(`{"op":"copy","from":"/a","path":"/a/a"},`, 40) + `{"op":"test","path":"","value":1}]`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := jsondoc.Parse(test.patch, jsondoc.MaxDepth+3)
			if err != nil {
				t.Fatal(err)
			}
			patch, err := jsondoc.ParsePatch(v)
			if err != nil {
				t.Fatal(err)
			}
			got, err := patch.Apply(parse(t, test.doc), jsondoc.NewBudget(noLimit))
			if test.ok && err != nil || !test.ok && !errors.Is(err, jsondoc.ErrTooDeep) {
				t.Fatalf("got %v", err)
			}
			if _, err := jsondoc.Parse(ascii(got), jsondoc.MaxDepth); err != nil {
				t.Errorf("the result: %v", err)
			}
		})
	}
}

func TestPatchSize(t *testing.T) {
	const grown = `{"a":[1,"23"],"b":4}`
	for _, test := range []struct {
		name, patch string
		largest     int
	}{
		{"each operation", `[{"op":"add","path":"/a/-","value":"23"}]`, len(grown)},
		{"an intermediate result", `[{"op":"add","path":"/a/-","value":"23"},{"op":"remove","path":"/a"}]`, len(grown)},
		{"the document", `[{"op":"add","path":"","value":[1,2,3,4,5,6,7,8,9]}]`, len(`[1,2,3,4,5,6,7,8,9]`)},
		{"increment", `[{"op":"increment","path":"/a/0","value":1e18}]`, len(`{"a":[1000000000000000001],"b":4}`)},
		{"copy", `[{"op":"copy","from":"/a","path":"/c"}]`, len(`{"a":[1],"b":4,"c":[1]}`)},
		{"copy over", `[{"op":"copy","from":"","path":"/a"}]`, len(`{"a":{"a":[1],"b":4},"b":4}`)},
		{"move", `[{"op":"move","from":"/a","path":"/longer"}]`, len(`{"b":4,"longer":[1]}`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc, patch := parse(t, `{"a":[1],"b":4}`), parsePatch(t, test.patch)
			if _, err := patch.Apply(doc, jsondoc.NewBudget(test.largest)); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			_, err := patch.Apply(doc, jsondoc.NewBudget(test.largest-1))
			var patchError *jsondoc.PatchError
			if !errors.Is(err, jsondoc.ErrTooLarge) || !errors.As(err, &patchError) || patchError.Index != 0 {
				t.Errorf("beyond the limit: %v", err)
			}
		})
	}
}

// TestCopiesThatDouble is the attack in which a short patch makes gigabytes.
func TestCopiesThatDouble(t *testing.T) {
	patch := parsePatch(t, "["+strings.Repeat(`{"op":"copy","from":"","path":"/a/-"},`, 200)+`{"op":"remove","path":"/a"}]`)
	doc := parse(t, `{"a":[]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := patch.Apply(doc, jsondoc.NewBudget(256<<10))
	runtime.ReadMemStats(&after)
	if !errors.Is(err, jsondoc.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1<<20 {
		t.Errorf("allocated %d bytes", allocated)
	}
}

func TestPatchOfAWideObject(t *testing.T) {
	doc := parse(t, wide(10_000))
	operations := make([]string, 0, jsondoc.MaxOperations)
	for i := range jsondoc.MaxOperations / 4 {
		operations = append(operations,
			fmt.Sprintf(`{"op":"replace","path":"/member%d","value":"new"}`, 9*i),
			fmt.Sprintf(`{"op":"remove","path":"/member%d"}`, 9*i+1),
			fmt.Sprintf(`{"op":"move","from":"/member%d","path":"/moved%d"}`, 9*i+2, i),
			fmt.Sprintf(`{"op":"test","path":"/moved%d","value":%d}`, i, 9*i+2))
	}
	got, err := parsePatch(t, "["+strings.Join(operations, ",")+"]").Apply(doc, jsondoc.NewBudget(noLimit))
	if err != nil {
		t.Fatal(err)
	}
	if again := parse(t, ascii(got)); again != got || got.Len() != 10_000-64 {
		t.Errorf("%d members", got.Len())
	}
	for path, want := range map[string]string{"member9": `"new"`, "member10": "", "member11": "", "moved1": "11", "member12": "12"} {
		v, found := got.Lookup(parsePath(t, path))
		if found != (want != "") || found && ascii(v) != want {
			t.Errorf("%s: got %s, %v", path, ascii(v), found)
		}
	}
}
