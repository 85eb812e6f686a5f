package jsondoc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

func parsed(tb testing.TB, text string) jsondoc.Value {
	tb.Helper()
	v, err := jsondoc.Parse(text, jsondoc.MaxDepth)
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestDiff(t *testing.T) {
	for _, c := range []struct{ name, before, after, now, want string }{
		{"nothing", `{"a":1}`, `{"a":1}`, `{"b":2}`, `{"b":2}`},
		{"the order of members", `{"a":1,"b":{"c":1,"d":2}}`, `{"b":{"d":2,"c":1},"a":1}`, `{"x":1}`, `{"x":1}`},
		{"a member more", `{}`, `{"a":1}`, `{"b":2}`, `{"b":2,"a":1}`},
		{"a member less", `{"a":1,"b":2}`, `{"b":2}`, `{"a":1,"c":3}`, `{"c":3}`},
		{"a member that has gone already", `{"a":1}`, `{}`, `{"c":3}`, `{"c":3}`},
		{"null is a value", `{"a":1}`, `{"a":null}`, `{"a":5,"b":2}`, `{"a":null,"b":2}`},
		{"null of nothing", `{}`, `{"a":null}`, `{}`, `{"a":null}`},
		{"null goes", `{"a":null}`, `{}`, `{"a":null}`, `{}`},
		{"within a member", `{"u":{"a":1,"b":2}}`, `{"u":{"a":1,"b":3}}`, `{"u":{"a":9,"c":4}}`, `{"u":{"a":9,"c":4,"b":3}}`},
		{"within a member that has gone", `{"u":{"a":1}}`, `{"u":{"a":1,"b":2}}`, `{}`, `{"u":{"b":2}}`},
		{"within a member that is something else", `{"u":{"a":1}}`, `{"u":{"b":2}}`, `{"u":7}`, `{"u":{"b":2}}`},
		{"a list grows", `{"l":[1]}`, `{"l":[1,2,3]}`, `{"l":[1,9]}`, `{"l":[1,9,2,3]}`},
		{"a list grows where it was emptied", `{"l":[1]}`, `{"l":[1,2]}`, `{"l":[]}`, `{"l":[2]}`},
		{"a list grows that has gone", `{"l":[1]}`, `{"l":[1,2]}`, `{}`, `{"l":[1,2]}`},
		{"a list changes", `{"l":[1,2]}`, `{"l":[2,1]}`, `{"l":[1,2,3]}`, `{"l":[2,1]}`},
		{"a list shrinks", `{"l":[1,2]}`, `{"l":[1]}`, `{"l":[1,2,3]}`, `{"l":[1]}`},
		{"a number of another type", `{"n":1}`, `{"n":1.0}`, `{"n":1}`, `{"n":1.0}`},
		{"a number that is only spelt in another way", `{"n":1.10,"e":1e-7,"a":1}`, `{"n":1.1,"e":1e-07,"a":2}`, `{"n":2.20,"e":1e-7,"a":1}`, `{"n":2.20,"e":1e-7,"a":2}`},
		{"a list grows, its numbers spelt in another way", `{"l":[1e2,{"x":1.50}]}`, `{"l":[100.0,{"x":1.5},2]}`, `{"l":[1e2,{"x":1.50},9]}`, `{"l":[1e2,{"x":1.50},9,2]}`},
		{"a number that has grown", `{"n":1.10}`, `{"n":1.11}`, `{"n":1.10}`, `{"n":1.11}`},
		{"another kind", `{"n":1}`, `{"n":{"a":1}}`, `{"n":2}`, `{"n":{"a":1}}`},
		{"a tag is a whole", `{"t":{" t":[1]}}`, `{"t":{" t":[1,2]}}`, `{"t":{" t":[1,9]}}`, `{"t":{" t":[1,2]}}`},
		{"names with dots and slashes", `{"a.b/c~":1}`, `{"a.b/c~":2}`, `{"a.b/c~":1,"a":{"b":1}}`, `{"a.b/c~":2,"a":{"b":1}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			tag := func(v jsondoc.Value) bool {
				for name := range v.Members() {
					return v.Len() == 1 && strings.HasPrefix(name, " ")
				}
				return false
			}
			d := jsondoc.Diff(parsed(t, c.before), parsed(t, c.after), tag)
			got, err := d.Apply(parsed(t, c.now), jsondoc.NewBudget(1000))
			if err != nil || got.ASCII() != c.want {
				t.Errorf("%s, %v; want %s", got.ASCII(), err, c.want)
			}
		})
	}
}

// TestDiffOfManyMembersTakesLinearTime compares and changes large objects whose members are in
// another order, as of an app that sorts them. It takes tenths of a second, not tens of seconds.
func TestDiffOfManyMembersTakesLinearTime(t *testing.T) {
	const n = 24000
	var other strings.Builder
	for i := range n {
		fmt.Fprintf(&other, `,"member%d":%d`, n-1-i, i)
	}
	before, after := parse(t, wide(n)), parse(t, "{"+other.String()[1:]+"}")
	start := time.Now()
	if got, err := jsondoc.Diff(before, after, nil).Apply(before, jsondoc.NewBudget(noLimit)); err != nil || !got.Equal(after) {
		t.Fatal("not the new object", err)
	}
	if took := time.Since(start); took > 12*time.Second {
		t.Errorf("%d members took %v", n, took)
	}
}

func TestDiffLimits(t *testing.T) {
	d := jsondoc.Diff(parsed(t, `{}`), parsed(t, `{"a":"0123456789"}`), nil)
	const size = len(`{"a":"0123456789"}`)
	if _, err := d.Apply(parsed(t, `{}`), jsondoc.NewBudget(size)); err != nil {
		t.Error(err)
	}
	if _, err := d.Apply(parsed(t, `{}`), jsondoc.NewBudget(size-1)); !errors.Is(err, jsondoc.ErrTooLarge) {
		t.Errorf("beyond the limit: %v", err)
	}
}

// Made to what it was made from, a difference gives what it was made to.
func FuzzDiff(f *testing.F) {
	f.Add(`{"a":1,"l":[1,{"x":null}]}`, `{"b":2,"l":[1,{"x":null},3]}`, `{"l":7}`)
	f.Add(`[]`, `[1]`, `{}`)
	f.Add(`{"a":{"b":{}}}`, `{"a":{"b":{"c":""}}}`, `"x"`)
	f.Fuzz(func(t *testing.T, before, after, now string) {
		b, err1 := jsondoc.Parse(before, jsondoc.MaxDepth)
		a, err2 := jsondoc.Parse(after, jsondoc.MaxDepth)
		n, err3 := jsondoc.Parse(now, jsondoc.MaxDepth)
		if err1 != nil || err2 != nil || err3 != nil {
			return
		}
		d := jsondoc.Diff(b, a, nil)
		if got, err := d.Apply(b, jsondoc.NewBudget(1<<20)); err != nil || !got.Equal(a) {
			t.Errorf("from %s to %s: %s, %v", b, a, got, err)
		}
		if got, err := d.Apply(n, jsondoc.NewBudget(1<<20)); err == nil {
			if _, err := jsondoc.Parse(got.ASCII(), jsondoc.MaxDepth); err != nil {
				t.Errorf("made to %s it is %s: %v", n, got, err)
			}
		}
	})
}
