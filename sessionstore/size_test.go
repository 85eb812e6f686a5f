package sessionstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// sized is a document of exactly size bytes of ASCII JSON.
func sized(size int) string {
	return `{"a":"` + strings.Repeat("x", size-len(`{"a":""}`)) + `"}`
}

func TestTheSizeOfTheData(t *testing.T) {
	for name, c := range map[string]struct {
		max  int
		text string
		err  error
	}{
		"at the default":            {0, sized(sessionstore.DefaultMaxSize), nil},
		"beyond the default":        {0, sized(sessionstore.DefaultMaxSize + 1), sessionstore.ErrTooLarge},
		"at the limit":              {100, sized(100), nil},
		"beyond the limit":          {100, sized(101), sessionstore.ErrTooLarge},
		"escapes count":             {100, `{"a":"` + strings.Repeat("ü", 15) + `"}`, nil},
		"all of them":               {100, `{"a":"` + strings.Repeat("ü", 16) + `"}`, sessionstore.ErrTooLarge},
		"spaces do not":             {100, strings.Replace(sized(100), ":", ":"+strings.Repeat(" ", 200), 1), nil},
		"beyond what grows between": {100, sized(201), sessionstore.ErrTooLarge},
	} {
		r := newRig(t, sessionstore.Options{MaxSize: c.max})
		for what, s := range map[string]*sessionstore.Session{
			"a new one":     {Scope: here},
			"an old one":    r.exists(r.begin(update(`{"b":1}`))),
			"destroyed one": r.exists(r.begin(update(`{"b":1}`))),
		} {
			parts := []part{update(c.text)}
			switch what {
			case "an old one":
				parts = append(parts, update(`{"b":null}`))
			case "destroyed one":
				parts = append(parts, destroy)
			}
			out, err := r.try(s, parts...)
			if !errors.Is(err, c.err) || err == nil && out.Result != sessionstore.Saved {
				t.Errorf("%s, %s: %+v, %v", name, what, out, err)
			}
		}
	}
}

// TestADocumentMayGrowBetweenTheOperations, but to twice the limit only.
func TestADocumentMayGrowBetweenTheOperations(t *testing.T) {
	const max = 100
	for name, c := range map[string]struct {
		size int
		err  error
	}{
		"within":    {max + 1, nil},
		"at twice":  {sessionstore.Growth * max, nil},
		"beyond it": {sessionstore.Growth*max + 1, sessionstore.ErrTooLarge},
	} {
		for what, parts := range map[string][]part{
			"in a patch": {update(fmt.Sprintf(`[{"op":"add","path":"/a","value":%q},{"op":"replace","path":"","value":{"b":1}}]`, strings.Repeat("x", c.size-len(`{"a":""}`))))},
			"by merges":  {update(sized(c.size)), update(`{"a":null,"b":1}`)},
			"by fields": {edit(jsondoc.Assign{Field: paths("a")[0], Value: new(parse(`"` + strings.Repeat("x", c.size-len(`{"a":""}`)) + `"`))}),
				edit(jsondoc.Assign{Field: paths("a")[0]}), edit(jsondoc.Assign{Field: paths("b")[0], Value: new(parse(`1`))})},
		} {
			r := newRig(t, sessionstore.Options{MaxSize: max})
			out, err := r.try(&sessionstore.Session{Scope: here}, parts...)
			if !errors.Is(err, c.err) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if err == nil {
				r.want(out.ID, `{"b":1}`)
			}
		}
	}
}

// TestADocumentThatDoublesItself is 935 bytes that would be 88 MB without a limit.
func TestADocumentThatDoublesItself(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	ops := []string{`{"op":"add","path":"/a","value":["x"]}`}
	for range 24 {
		ops = append(ops, `{"op":"copy","from":"/a","path":"/a/-"}`)
	}
	r.refuse(sessionstore.ErrTooLarge, &sessionstore.Session{Scope: here}, update("["+strings.Join(ops, ",")+"]"))
}

// TestARecordThatIsLargerAlready, since the limit was lowered: it is read, and may only shrink.
func TestARecordThatIsLargerAlready(t *testing.T) {
	const size, max = 1000, 100
	data := `{"a":"` + strings.Repeat("x", size-len(`{"a":"","b":1,"c":"yy"}`)) + `","b":1,"c":"yy"}`
	for name, c := range map[string]struct {
		parts  []part
		result sessionstore.Result
		err    error
	}{
		"shrinks below the limit":   {[]part{update(`{"a":null,"c":null}`)}, sessionstore.Saved, nil},
		"shrinks to above it":       {[]part{update(`{"b":null}`)}, sessionstore.Saved, nil},
		"by one byte":               {[]part{update(`{"c":"z"}`)}, sessionstore.Saved, nil},
		"stays as large":            {[]part{update(`{"b":2}`)}, 0, sessionstore.ErrTooLarge},
		"another order":             {[]part{update(`{"b":null}`), update(`{"b":1}`)}, 0, sessionstore.ErrTooLarge},
		"grows by one byte":         {[]part{update(`{"b":10}`)}, 0, sessionstore.ErrTooLarge},
		"grows and shrinks":         {[]part{update(`{"d":"` + strings.Repeat("x", 900) + `"}`), update(`{"d":null,"b":null}`)}, sessionstore.Saved, nil},
		"grows too far between":     {[]part{update(`{"d":"` + strings.Repeat("x", 1000) + `"}`), update(`{"d":null,"b":null}`)}, 0, sessionstore.ErrTooLarge},
		"no change":                 {[]part{update(`{"b":1}`)}, sessionstore.Unchanged, nil},
		"no change, and a flash":    {[]part{update(`{"b":1}`), flash(`"x"`)}, sessionstore.Saved, nil},
		"a flash alone":             {[]part{flash(`"x"`)}, sessionstore.Saved, nil},
		"a test and a flash":        {[]part{update(`[{"op":"test","path":"/b","value":1}]`), flash(`"x"`)}, sessionstore.Saved, nil},
		"regenerated":               {[]part{regenerate}, sessionstore.Saved, nil},
		"made permanent":            {[]part{permanent(true), idle(time.Hour)}, sessionstore.Saved, nil},
		"destroyed and begun":       {[]part{destroy, update(`{"b":1}`)}, sessionstore.Saved, nil},
		"destroyed, begun as large": {[]part{destroy, update(data)}, 0, sessionstore.ErrTooLarge},
	} {
		r := newRig(t, sessionstore.Options{MaxSize: 10 * size})
		low := r.another(sessionstore.Options{MaxSize: max})
		id := r.begin(update(data))
		s := low.exists(id)
		if s.Data() != data || len(data) != size {
			t.Fatalf("%d bytes", len(s.Data()))
		}
		if c.err != nil {
			low.refuse(c.err, s, c.parts...)
			low.want(id, data)
			continue
		}
		if out := low.do(s, c.parts...); out.Result != c.result {
			t.Errorf("%s: %+v", name, out)
		}
	}
}

// TestParallelChangesThatDoNotFitTogether: the first ones fit, those behind them are refused.
func TestParallelChangesThatDoNotFitTogether(t *testing.T) {
	bubble(t, sessionstore.Options{MaxSize: 100}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.store.before(set, 1, slow(time.Millisecond))
		var done []<-chan answer
		for i := range 20 {
			done = append(done, r.start(t.Context(), s, update(fmt.Sprintf(`{"k%02d":1}`, i))))
		}
		saved := 0
		for i, d := range done {
			a := <-d
			switch {
			case a.err == nil && a.out.Result == sessionstore.Saved:
				saved++
			case !errors.Is(a.err, sessionstore.ErrTooLarge):
				t.Errorf("%d: %+v", i, a)
			}
		}
		data := r.exists(id).Data()
		if got := parse(data).Len() - 1; got != saved || len(data) > 100 || len(data) < 92 {
			t.Errorf("%d were saved, %d are there, in %d bytes", saved, got, len(data))
		}
	})
}

// TestADocumentIsNoDeeperThanAllowed, however it is made.
func TestADocumentIsNoDeeperThanAllowed(t *testing.T) {
	const most = jsondoc.MaxDepth
	at := func(path string, depth int) part {
		return update(`[{"op":"add","path":"` + path + `","value":` + nested(depth) + `}]`)
	}
	assign := func(path string, depth int) part {
		return edit(jsondoc.Assign{Field: paths(path)[0], Value: new(parse(nested(depth)))})
	}
	for name, c := range map[string]struct {
		fits, deeper part
	}{
		"a patch inside":   {at("/a/a", most-2), at("/a/a/a", most-2)},
		"a patch of all":   {at("", most), at("/a", most)},
		"a field":          {assign("a.a", most-2), assign("a.a.a", most-2)},
		"a field of all":   {assign("a", most-1), assign("a", most)},
		"a new field":      {assign("a.b.c", most-3), assign("b.c", most-1)},
		"a copy in a copy": {update(`[{"op":"copy","from":"/a/a","path":"/b"}]`), update(`[{"op":"copy","from":"","path":"/b"}]`)},
	} {
		r := newRig(t, sessionstore.Options{})
		id := r.begin(update(nested(most)))
		r.refuse(sessionstore.ErrInvalid, r.exists(id), c.deeper)
		r.want(id, nested(most))
		if _, err := r.try(r.exists(id), c.fits); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
