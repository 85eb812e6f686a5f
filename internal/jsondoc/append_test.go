package jsondoc_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

func TestAppend(t *testing.T) {
	for _, test := range []struct{ name, doc, path, value, want, err string }{
		{"to a list", `{"l":[1]}`, "/l", `2`, `{"l":[1,2]}`, ""},
		{"to an empty list", `{"l":[]}`, "/l", `{"a":[null]}`, `{"l":[{"a":[null]}]}`, ""},
		{"a list is one item", `{"l":[1]}`, "/l", `[2,3]`, `{"l":[1,[2,3]]}`, ""},
		{"no such member", `{"a":1}`, "/l", `"x"`, `{"a":1,"l":["x"]}`, ""},
		{"no such nested member", `{"a":[{}]}`, "/a/0/l", `1`, `{"a":[{"l":[1]}]}`, ""},
		{"a list in a list", `{"l":[[1]]}`, "/l/0", `2`, `{"l":[[1,2]]}`, ""},
		{"the document", `[1]`, "", `2`, `[1,2]`, ""},
		{"no parent", `{}`, "/a/l", `1`, "", "its path has no parent array or object"},
		{"no such item", `{"l":[1]}`, "/l/1", `1`, "", "its path does not end in an index of the array"},
		{"item behind the end", `{"l":[1]}`, "/l/-", `1`, "", "its path does not end in an index of the array"},
		{"object", `{"l":{}}`, "/l", `1`, "", "its target is not an array"},
		{"number", `{"l":1}`, "/l", `1`, "", "its target is not an array"},
		{"null", `{"l":null}`, "/l", `1`, "", "its target is not an array"},
		{"the document is an object", `{}`, "", `1`, "", "its target is not an array"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := applyText(parse(t, test.doc), `[{"op":"append","path":"`+test.path+`","value":`+test.value+`}]`)
			if test.err != "" {
				if err == nil || err.Error() != "operation 0 (append): "+test.err {
					t.Errorf("got %v", err)
				}
			} else if err != nil || ascii(got) != test.want {
				t.Errorf("got %s, %v", ascii(got), err)
			}
		})
	}
	// What another operation has taken apart counts as what it is.
	for doc, ok := range map[string]bool{`{"l":[1]}`: true, `{"l":{"0":1}}`: false} {
		_, err := applyText(parse(t, doc), `[{"op":"test","path":"/l/0","value":1},{"op":"append","path":"/l","value":7}]`)
		if (err == nil) != ok {
			t.Errorf("%s: got %v", doc, err)
		}
	}
}

func TestAppendDepth(t *testing.T) {
	deepest := strings.Repeat("[", jsondoc.MaxDepth-2) + strings.Repeat("]", jsondoc.MaxDepth-2)
	for _, doc := range []string{`{"l":[]}`, `{}`} {
		if _, err := applyText(parse(t, doc), `[{"op":"append","path":"/l","value":`+deepest+`}]`); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
		if _, err := applyText(parse(t, doc), `[{"op":"append","path":"/l","value":[`+deepest+`]}]`); !errors.Is(err, jsondoc.ErrTooDeep) {
			t.Errorf("%s: one deeper: got %v", doc, err)
		}
	}
}
