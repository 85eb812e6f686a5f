package sessionstore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

func TestParseEdit(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"merge patch":       {`{"a":1}`, true},
		"empty merge patch": {`{}`, true},
		"JSON Patch":        {`[{"op":"add","path":"/a","value":1}]`, true},
		"increment":         {`[{"op":"increment","path":"/a","value":1}]`, true},
		"empty JSON Patch":  {`[]`, true},
		"most operations":   {"[" + strings.Repeat(`{"op":"remove","path":"/a"},`, jsondoc.MaxOperations-1) + `{"op":"remove","path":"/a"}]`, true},
		"one more":          {"[" + strings.Repeat(`{"op":"remove","path":"/a"},`, jsondoc.MaxOperations) + `{"op":"remove","path":"/a"}]`, false},
		"deepest patch":     {nested(jsondoc.MaxDepth), true},
		"one deeper":        {nested(jsondoc.MaxDepth + 1), false},
		"no operation":      {`[1]`, false},
		"unknown operation": {`[{"op":"explode","path":"/a"}]`, false},
		"no path":           {`[{"op":"remove"}]`, false},
		"a string":          {`"a"`, false},
		"a number":          {`1`, false},
		"null":              {`null`, false},
		"true":              {`true`, false},
	} {
		e, err := sessionstore.ParseEdit(c.text)
		if c.ok && (err != nil || e == nil) || !c.ok && !errors.Is(err, sessionstore.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// nested is an object in objects, depth of them in all.
func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
}

func TestAssign(t *testing.T) {
	one := new(parse(`1`))
	for name, c := range map[string]struct {
		field string
		value *jsondoc.Value
		want  string // nothing: it is refused
	}{
		"new":                  {"b", one, `{"a":{"x":0},"l":[7],"b":1}`},
		"there already":        {"a", one, `{"a":1,"l":[7]}`},
		"inside":               {"a.x", one, `{"a":{"x":1},"l":[7]}`},
		"with what is missing": {"b.c.d", one, `{"a":{"x":0},"l":[7],"b":{"c":{"d":1}}}`},
		"an item":              {"l.0", one, `{"a":{"x":0},"l":[1]}`},
		"an item too far":      {"l.1", one, ""},
		"inside of a number":   {"a.x.y", one, ""},
		"no item's number":     {"l.x", one, ""},
		"removed":              {"a", nil, `{"l":[7]}`},
		"removed inside":       {"a.x", nil, `{"a":{},"l":[7]}`},
		"an item removed":      {"l.0", nil, `{"a":{"x":0},"l":[]}`},
		"removed what is not":  {"b", nil, `{"a":{"x":0},"l":[7]}`},
	} {
		r := newRig(t, sessionstore.Options{})
		const before = `{"a":{"x":0},"l":[7]}`
		id := r.begin(update(before))
		assign := edit(jsondoc.Assign{Field: paths(c.field)[0], Value: c.value})
		if c.want == "" {
			r.refuse(sessionstore.ErrInvalid, r.exists(id), assign)
			c.want = before
		} else {
			r.do(r.exists(id), assign)
		}
		if got := r.exists(id).Data(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestAnEditIsMadeAgain to whatever is there, so it is given each time what it was not given
// before.
func TestAnEditIsMadeAgain(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	other := r.another(sessionstore.Options{})
	id := r.begin(update(`{"n":1}`))
	s := r.exists(id)
	r.store.before(set, 1, then(func() { other.do(other.exists(id), update(`{"n":2}`)) }))
	var given []string
	r.do(s, edit(editFunc(func(doc jsondoc.Value, _ *jsondoc.Budget) (jsondoc.Value, error) {
		given = append(given, doc.String())
		return jsondoc.Set(doc, paths("seen")[0], parse(`true`))
	})))
	if got := strings.Join(given, " "); got != `{"n":1} {"n":2}` {
		t.Error(got)
	}
	r.want(id, `{"n":2,"seen":true}`)
}

func TestAnEmptyChange(t *testing.T) {
	if !new(sessionstore.Change).Empty() {
		t.Error("nothing is something")
	}
	for name, p := range map[string]part{
		"update": update(`{}`), "flash": flash(`"x"`), "flash seen": seen, "of no category": seenOf(),
		"regenerate": regenerate, "destroy": destroy, "permanent": permanent(false), "idle timeout": idle(0),
	} {
		if change(p).Empty() {
			t.Errorf("%s is nothing", name)
		}
	}
}
