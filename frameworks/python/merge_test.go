package python_test

import (
	"errors"
	"math"
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
	return python.Merge(before, parse(t, text), &pickle.Maker)
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

// Numbers that JSON lacks are shown by markers, which may be moved.
func TestANumberThatJSONLacksMoves(t *testing.T) {
	for name, number := range map[string]python.Value{"NaN": python.Float(math.NaN()), "infinity": python.Float(math.Inf(-1)), "a short one": python.Float32(math.Inf(1))} {
		after, err := merge(t, dict("a", number), `{"b":`+python.Render(number)+`}`)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if moved, _ := after.Get("b"); python.Render(moved) != python.Render(number) {
			t.Errorf("%s is %v", name, moved)
		}
	}
}

// What is in the JSON once more must be another object: in a pickle, the app would change both at
// once.
func TestACopyIsAnObjectOfItsOwn(t *testing.T) {
	set := &python.Set{Items: []python.Value{python.Int("1")}}
	shared := &python.List{Items: []python.Value{python.Int("7")}}
	item := dict("n", python.Int("1"), "tags", &python.List{Items: []python.Value{set}})
	before := dict("cart", &python.List{Items: []python.Value{item}}, "one", shared, "two", shared)
	marker, was := python.Render(set), python.Render(before)
	tags := `"tags":[` + marker + `]`
	for name, cart := range map[string]string{
		"an item that is there already": `[{"n":1,` + tags + `},{"n":1,` + tags + `}]`,
		"one before it, much alike":     `[{"n":2,` + tags + `},{"n":1,` + tags + `}]`,
		"one after it, much alike":      `[{"n":1,` + tags + `},{` + tags + `,"n":2}]`,
		"a value of its own":            `[{"n":1,` + tags + `},{"n":1,"tags":[` + marker + `,` + marker + `]}]`,
	} {
		text := `{"cart":` + cart + `,"one":[7],"two":[7]}`
		after, err := merge(t, before, text)
		if err != nil || !parse(t, python.Render(after)).Equal(parse(t, text)) {
			t.Errorf("%s: %s, %v", name, python.Render(after), err)
			continue
		}
		met := make(map[python.Value]bool)
		list, _ := after.Get("cart")
		for _, item := range list.(*python.List).Items {
			tags, _ := item.(*python.Dict).Get("tags")
			for _, v := range append([]python.Value{item, tags}, tags.(*python.List).Items...) {
				if met[v] {
					t.Errorf("%s: %s is one object at two places", name, python.Render(v))
				}
				met[v] = true
			}
		}
		one, _ := after.Get("one")
		if two, _ := after.Get("two"); one != two {
			t.Errorf("%s: what was one object at two places is two", name)
		}
		if python.Render(before) != was {
			t.Errorf("%s: the session before has changed", name)
		}
	}
}

func parse(t *testing.T, text string) jsondoc.Value {
	t.Helper()
	doc, err := jsondoc.Parse(text, jsondoc.MaxDepth)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestAttackManyDatetimesThatLookTheSame has datetimes of one second. They are looked at when a
// value with a tag is new. It takes tenths of a second, not tens of seconds.
func TestAttackManyDatetimesThatLookTheSame(t *testing.T) {
	const n = 2000
	list := new(python.List)
	for i := range n {
		at := moment(byte(i)).(*python.Object)
		args := at.Args.(*python.Tuple).Items
		text := []byte(args[0].(python.Bytes))
		text[len(text)-2] = byte(i >> 8)
		args[0] = python.Bytes(text)
		list.Items = append(list.Items, at)
	}
	before := dict("list", list)
	text := strings.TrimSuffix(python.Render(before), "}") + `,"new":{" b":"AAE="}}`
	start := time.Now()
	if _, err := merge(t, before, text); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 6*time.Second {
		t.Errorf("%d of them took %v", n, took)
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
