package python_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/frameworks/python"
	"github.com/caddy-session/caddy-session/frameworks/python/pickle"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// dict makes a dict from alternating names and values.
func dict(items ...any) *python.Dict {
	d := new(python.Dict)
	for i := 0; i < len(items); i += 2 {
		d.Add(python.Str(items[i].(string)), items[i+1])
	}
	return d
}

func merge(t *testing.T, before *python.Dict, text string) (*python.Dict, error) {
	t.Helper()
	doc, err := jsondoc.Parse(text, jsondoc.MaxDepth)
	if err != nil {
		t.Fatal(err)
	}
	return python.Merge(before, doc, &pickle.Maker)
}

// moment is a datetime with microseconds, which its JSON does not show.
func moment(microseconds byte) python.Value {
	made := python.NewDatetime(time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC)).(*python.Object)
	args := made.Args.(*python.Tuple).Items
	text := []byte(args[0].(python.Bytes))
	text[len(text)-1] = microseconds
	return &python.Object{Class: made.Class, Args: &python.Tuple{Items: []python.Value{python.Bytes(text), args[1]}}}
}

const momentJSON = `{" d":"Tue, 14 Nov 2023 22:13:20 GMT"}`

// TestPatchIntoOneValueIsRefused has a change go into what JSON shows as an object with a tag or as
// a marker. It would take the place of the value: of the whole session, if one of its keys is no
// text.
func TestPatchIntoOneValueIsRefused(t *testing.T) {
	numbered := dict("user", python.Str("ada"))
	numbered.Add(python.Int("42"), python.Int("3"))
	named := dict(" t", python.Int("1"))
	for name, c := range map[string]struct {
		before *python.Dict
		into   string // the member
	}{
		"the whole session":      {numbered, ""},
		"a dict with numbers":    {dict("x", numbered), "x"},
		"a tuple":                {dict("x", &python.Tuple{Items: []python.Value{python.Int("1")}}), "x"},
		"bytes":                  {dict("x", python.Bytes("a")), "x"},
		"a set":                  {dict("x", &python.Set{Items: []python.Value{python.Int("1")}}), "x"},
		"a datetime":             {dict("x", moment(7)), "x"},
		"a dict like a tag":      {dict("x", named), "x"},
		"the session like a tag": {named, ""},
	} {
		value := python.Value(c.before)
		if c.into != "" {
			value, _ = c.before.Get(c.into)
		}
		patched := strings.TrimSuffix(python.Render(value), "}") + `,"seen":true}`
		if c.into != "" {
			patched = `{"x":` + patched + `}`
		}
		if _, err := merge(t, c.before, patched); !errors.Is(err, sessionstore.ErrInvalid) {
			t.Errorf("%s: %s: %v", name, patched, err)
		}
	}
	// Two members are a dict, whatever their names.
	if _, err := merge(t, dict(" t", python.Int("1"), "a", python.Int("2")), `{" t":1,"a":2,"seen":true}`); err != nil {
		t.Error(err)
	}
}

// A value that moves stays the same, even if its JSON does not show all of it.
func TestValuesThatMove(t *testing.T) {
	set := &python.Set{Items: []python.Value{python.Int("1")}}
	at := moment(7)
	before := dict("set", set, "at", at, "list", &python.List{Items: []python.Value{set, python.Float(1)}})
	marker := python.Render(set)
	after, err := merge(t, before, `{"moved":`+marker+`,"later":`+momentJSON+`,"list":[1.0,`+marker+`]}`)
	if err != nil {
		t.Fatal(err)
	}
	list, _ := after.Get("list")
	for name, want := range map[string]python.Value{"moved": set, "later": at} {
		if got, _ := after.Get(name); got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
	if items := list.(*python.List).Items; items[0] != python.Value(python.Float(1)) || items[1] != python.Value(set) {
		t.Errorf("the list is %v", items)
	}
}

func TestInvalidChanges(t *testing.T) {
	before := dict("one", moment(1), "two", moment(2))
	if _, err := merge(t, before, `{"one":`+momentJSON+`,"two":`+momentJSON+`,"n":1}`); err != nil {
		t.Errorf("both unmoved: %v", err)
	}
	for name, text := range map[string]string{
		"an ambiguous datetime":      `{"three":` + momentJSON + `}`,
		"an unknown marker":          `{"a":{" o":"app.Own#000000000000"}}`,
		"a tuple that is not a list": `{"a":{" t":1}}`,
		"bytes that are not base64":  `{"a":{" b":"%"}}`,
		"an invalid date":            `{"a":{" d":"tomorrow"}}`,
		"a dict without its tag":     `{"a":{" di":{"x":1}}}`,
		"data that are a list":       `[]`,
		"a number beyond a float":    `{"a":1e999}`,
	} {
		if _, err := merge(t, before, text); !errors.Is(err, sessionstore.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A dict that looks like a tag is escaped in JSON and comes back unchanged.
func TestDictsLikeTags(t *testing.T) {
	before := dict("a", dict(" t", python.Int("1")), "b", dict(" o", python.Str("x")))
	text, err := python.ToJSON(before)
	if err != nil || string(text) != `{"a":{" di":{" t__":1}},"b":{" di":{" o__":"x"}}}` {
		t.Fatalf("%s, %v", text, err)
	}
	after, err := merge(t, before, `{"a":{" di":{" t__":2}},"b":{" di":{" o__":"x"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := python.ToJSON(after); err != nil || string(again) != `{"a":{" di":{" t__":2}},"b":{" di":{" o__":"x"}}}` {
		t.Errorf("%s, %v", again, err)
	}
}
