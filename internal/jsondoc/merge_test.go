package jsondoc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

func TestMergePatch(t *testing.T) {
	for _, test := range []struct{ name, target, patch, want string }{
		// RFC 7396, appendix A.
		{"replace", `{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{"add", `{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{"remove the only", `{"a":"b"}`, `{"a":null}`, `{}`},
		{"remove one", `{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{"array by string", `{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{"string by array", `{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{"nested", `{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{"array of objects", `{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{"array by array", `["a","b"]`, `["c","d"]`, `["c","d"]`},
		{"object by array", `{"a":"b"}`, `["c"]`, `["c"]`},
		{"object by null", `{"a":"foo"}`, `null`, `null`},
		{"object by string", `{"a":"foo"}`, `"bar"`, `"bar"`},
		{"null in the target stays", `{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{"array by object", `[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{"nulls of what is missing", `{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},

		// RFC 7396, section 3.
		{"the example", `{"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},"tags":["example","sample"],"content":"This will be unchanged"}`,
			`{"title":"Hello!","phoneNumber":"+01-123-456-7890","author":{"familyName":null},"tags":["example"]}`,
			`{"title":"Hello!","author":{"givenName":"John"},"tags":["example"],"content":"This will be unchanged","phoneNumber":"+01-123-456-7890"}`},

		{"nothing", `{"a":1}`, `{}`, `{"a":1}`},
		{"nulls in arrays are kept", `{}`, `{"l":[{"a":null},null,[null]]}`, `{"l":[{"a":null},null,[null]]}`},
		{"object on a scalar", `{"a":1}`, `{"a":{"b":{"c":null},"d":null,"e":2}}`, `{"a":{"b":{},"e":2}}`},
		{"object on null", `{"a":null}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		{"object on a number", `1`, `{"a":{"b":null}}`, `{"a":{}}`},
		{"remove what is not there", `{"a":1}`, `{"b":null}`, `{"a":1}`},
		{"order is kept", `{"c":1,"b":2,"a":3}`, `{"a":0,"x":9,"c":{}}`, `{"c":{},"b":2,"a":0,"x":9}`},
		{"remove first, middle and last", `{"a":1,"b":2,"c":3,"d":4,"e":5}`, `{"a":null,"c":null,"e":null}`, `{"b":2,"d":4}`},
		{"names decoded", `{"é":1}`, `{"\u00e9":2}`, `{"\u00e9":2}`},
		{"digits are kept", `{"a":1.10}`, `{"b":1e400}`, `{"a":1.10,"b":1e400}`},
		{"brackets in strings", `{"a":"}{\"","b":"]"}`, `{"c":"\\"}`, `{"a":"}{\"","b":"]","c":"\\"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			target, patch := parse(t, test.target), parse(t, test.patch)
			got, err := jsondoc.MergePatch(target, patch, jsondoc.NewBudget(noLimit))
			if err != nil || ascii(got) != test.want {
				t.Errorf("got %s, %v, want %s", ascii(got), err, test.want)
			}
			if ascii(target) != ascii(parse(t, test.target)) || ascii(patch) != ascii(parse(t, test.patch)) {
				t.Error("the input has changed")
			}
		})
	}
}

func TestMergePatchSize(t *testing.T) {
	target, patch := parse(t, `{"a":1,"gone":"0123456789"}`), parse(t, `{"gone":null,"b":[2]}`)
	const want = `{"a":1,"b":[2]}`
	if got, err := jsondoc.MergePatch(target, patch, jsondoc.NewBudget(len(want))); err != nil || ascii(got) != want {
		t.Errorf("got %s, %v", ascii(got), err)
	}
	if _, err := jsondoc.MergePatch(target, patch, jsondoc.NewBudget(len(want)-1)); !errors.Is(err, jsondoc.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if _, err := jsondoc.MergePatch(target, patch, jsondoc.NewBudget(-1)); !errors.Is(err, jsondoc.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if _, err := jsondoc.MergePatch(target, parse(t, `[12]`), jsondoc.NewBudget(3)); !errors.Is(err, jsondoc.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestMergePatchOfManyMembers(t *testing.T) {
	var patch, want strings.Builder
	for i := range 1000 {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&patch, `,"member%d":null`, i)
		case 1:
			fmt.Fprintf(&patch, `,"member%d":"new"`, i)
			fmt.Fprintf(&want, `,"member%d":"new"`, i)
		default:
			fmt.Fprintf(&want, `,"member%d":%d`, i, i)
		}
	}
	got, err := jsondoc.MergePatch(parse(t, wide(1000)), parse(t, "{"+patch.String()[1:]+"}"), jsondoc.NewBudget(noLimit))
	if err != nil || ascii(got) != "{"+want.String()[1:]+"}" {
		t.Errorf("got %.100s, %v", ascii(got), err)
	}
}
