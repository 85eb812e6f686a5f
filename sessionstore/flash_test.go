package sessionstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/sessionstore"
)

func TestParseFlash(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a string":             {`"hello"`, `[["message","hello"]]`},
		"the empty string":     {`""`, `[["message",""]]`},
		"with a category":      {` [ "error" , "no" ] `, `[["error","no"]]`},
		"an empty category":    {`["",""]`, `[["",""]]`},
		"not ASCII":            {`["ü","ß"]`, `[["\u00fc","\u00df"]]`},
		"escapes":              {`["\/","\u0041\n"]`, `[["/","A\n"]]`},
		"half a surrogate":     {`"\ud800"`, `[["message","\ud800"]]`},
		"looks like JSON":      {`"[\"a\",\"b\"]"`, `[["message","[\"a\",\"b\"]"]]`},
		"no string":            {`1`, ""},
		"null":                 {`null`, ""},
		"an object":            {`{"error":"no"}`, ""},
		"an empty list":        {`[]`, ""},
		"a category alone":     {`["error"]`, ""},
		"three":                {`["error","no","more"]`, ""},
		"a number as message":  {`["error",1]`, ""},
		"a number as category": {`[1,"no"]`, ""},
		"a list in a list":     {`[["error","no"]]`, ""},
	} {
		f, err := sessionstore.ParseFlash(c.text)
		if c.want == "" {
			if !errors.Is(err, sessionstore.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r := newRig(t, sessionstore.Options{})
		out := r.do(&sessionstore.Session{Scope: here}, func(ch *sessionstore.Change) { ch.Flashes = append(ch.Flashes, f) })
		if got := r.exists(out.ID).Flash(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// flashOf is a message that takes size bytes as JSON, with a mark of its own.
func flashOf(mark string, size int) part {
	empty := `["message",""]`
	return flash(`"` + mark + strings.Repeat(".", size-len(empty)-len(mark)) + `"`)
}

func TestOneFlashHasALimit(t *testing.T) {
	most := sessionstore.MaxFlash - len("[]")
	r := newRig(t, sessionstore.Options{})
	id := r.begin(flashOf("a", most))
	if n := len(r.exists(id).Flash()); n != sessionstore.MaxFlash {
		t.Errorf("%d bytes", n)
	}
	_, err := sessionstore.ParseFlash(`"` + strings.Repeat(".", most+1-len(`["message",""]`)) + `"`)
	if !errors.Is(err, sessionstore.ErrTooLarge) || !errors.Is(err, sessionstore.ErrInvalid) {
		t.Errorf("one more: %v", err)
	}
	// What counts is the ASCII form.
	if _, err = sessionstore.ParseFlash(`"` + strings.Repeat("ü", 700) + `"`); !errors.Is(err, sessionstore.ErrTooLarge) {
		t.Errorf("escaped: %v", err)
	}
}

// TestTheOldestFlashGoes stands on both sides of the limit.
func TestTheOldestFlashGoes(t *testing.T) {
	const item = 99 // and a comma: forty of them take 4001 bytes with the brackets, one comma less
	for name, c := range map[string]struct {
		waiting, added []int
		left           string
	}{
		"all fit":             {[]int{1000, 1000}, []int{1000}, "a b A"},
		"to the byte":         {[]int{2000, 1000}, []int{996}, "a b A"},
		"one byte over":       {[]int{2000, 1000}, []int{997}, "b A"},
		"one goes":            {[]int{2000, 1500}, []int{1000}, "b A"},
		"the small one too":   {[]int{50, 2000, 1500}, []int{1000}, "c A"},
		"all old ones go":     {[]int{1000, 1000}, []int{3998}, "A"},
		"of the new ones too": {[]int{100}, []int{2500, 2000}, "B"},
		"new ones alone":      {nil, []int{2500, 1400, 1400}, "B C"},
		"newest of many":      {[]int{1999}, []int{item, item, item, 3000}, "A B C D"},
	} {
		r := newRig(t, sessionstore.Options{})
		parts := []part{update(`{"a":1}`)}
		for i, size := range c.waiting {
			parts = append(parts, flashOf(string(rune('a'+i)), size))
		}
		id := r.begin(parts...)
		parts = nil
		for i, size := range c.added {
			parts = append(parts, flashOf(string(rune('A'+i)), size))
		}
		r.outcome(r.do(r.exists(id), parts...), sessionstore.Saved, sessionstore.CookieKept)
		text := r.exists(id).Flash()
		if len(text) > sessionstore.MaxFlash {
			t.Errorf("%s: %d bytes", name, len(text))
		}
		var messages [][2]string
		if err := json.Unmarshal([]byte(text), &messages); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var marks []string
		for _, m := range messages {
			marks = append(marks, m[1][:1])
		}
		if got := strings.Join(marks, " "); got != c.left {
			t.Errorf("%s: left are %s, want %s", name, got, c.left)
		}
	}
}

func TestManySmallFlashes(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	for i := range 1000 {
		r.do(r.exists(id), flash(fmt.Sprintf(`"%03d"`, i)))
	}
	text := r.exists(id).Flash()
	const each = len(`["message","000"],`)
	if want := (sessionstore.MaxFlash - 1) / each; strings.Count(text, "message") != want || !strings.HasSuffix(text, `["message","999"]]`) {
		t.Errorf("%d are left, want %d", strings.Count(text, "message"), want)
	}
}

func TestFlashSeen(t *testing.T) {
	for name, c := range map[string]struct {
		given, more []string
		seen        part
		add         []string
		left        string
	}{
		"all":                       {[]string{`"a"`, `"b"`}, nil, seen, nil, ""},
		"those that came since":     {[]string{`"a"`}, []string{`"b"`}, seen, nil, `[["message","b"]]`},
		"an equal one came since":   {[]string{`"a"`}, []string{`"a"`}, seen, nil, `[["message","a"]]`},
		"the first equal one":       {[]string{`"a"`, `"b"`}, []string{`"a"`}, seen, nil, `[["message","a"]]`},
		"two equal ones":            {[]string{`"a"`, `"a"`, `"b"`}, []string{`"a"`}, seen, nil, `[["message","a"]]`},
		"and one more":              {[]string{`"a"`}, nil, seen, []string{`"a"`}, `[["message","a"]]`},
		"of a category":             {[]string{`"a"`, `["error","b"]`, `["info","c"]`}, nil, seenOf("error"), nil, `[["message","a"],["info","c"]]`},
		"of two":                    {[]string{`"a"`, `["error","b"]`, `["info","c"]`}, nil, seenOf("error", "info"), nil, `[["message","a"]]`},
		"of the default one":        {[]string{`"a"`, `["error","b"]`}, nil, seenOf("message"), nil, `[["error","b"]]`},
		"of no category":            {[]string{`"a"`}, nil, seenOf(), nil, `[["message","a"]]`},
		"of an unknown one":         {[]string{`"a"`}, nil, seenOf("error"), nil, `[["message","a"]]`},
		"of the empty one":          {[]string{`["","a"]`, `"b"`}, nil, seenOf(""), nil, `[["message","b"]]`},
		"the case of a category":    {[]string{`["Error","a"]`}, nil, seenOf("error"), nil, `[["Error","a"]]`},
		"a category that is quoted": {[]string{`["a\"b\\","a"]`}, nil, seenOf(`a"b\`), nil, ""},
		"a category not in ASCII":   {[]string{`["ü","a"]`}, nil, seenOf("ü"), nil, ""},
		"the same of another":       {[]string{`["a","x"]`}, []string{`["b","x"]`}, seen, nil, `[["b","x"]]`},
		"spelt in another way":      {[]string{`"\u0061/"`}, []string{`"a\/"`, `["message","a/"]`}, seen, nil, `[["message","a/"],["message","a/"]]`},
	} {
		r := newRig(t, sessionstore.Options{})
		parts := []part{update(`{"x":1}`)}
		for _, text := range c.given {
			parts = append(parts, flash(text))
		}
		id := r.begin(parts...)
		s := r.exists(id)
		for _, text := range c.more {
			r.do(r.exists(id), flash(text))
		}
		parts = []part{c.seen}
		for _, text := range c.add {
			parts = append(parts, flash(text))
		}
		r.do(s, parts...)
		if got := r.exists(id).Flash(); got != c.left {
			t.Errorf("%s: left is %s, want %s", name, got, c.left)
		}
		if c.more == nil && c.add == nil {
			// Asked again by the same request: there are none of these anymore.
			before := r.entry(id)
			r.do(s, c.seen)
			if string(r.entry(id).Value) != string(before.Value) {
				t.Errorf("%s: seen twice", name)
			}
		}
	}
}

// TestTwoRequestsThatAreGivenTheSameMessage both show it. The second has nothing to remove.
func TestTwoRequestsThatAreGivenTheSameMessage(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"x":1}`), flash(`"once"`))
	one, two := r.exists(id), r.exists(id)
	r.outcome(r.do(one, seen), sessionstore.Saved, sessionstore.CookieKept)
	r.outcome(r.do(two, seen), sessionstore.Unchanged, sessionstore.CookieKept)
	// A new one with the same words is another message, but they cannot be told apart.
	r.do(r.exists(id), flash(`"once"`))
	three := r.exists(id)
	r.do(three, seen)
	if f := r.exists(id).Flash(); f != "" {
		t.Error(f)
	}
}

// TestFlashSeenUnderWay removes from the successor what the request had been given by the old id.
func TestFlashSeenUnderWay(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	first := r.begin(update(`{"x":1}`), flash(`"a"`))
	under := r.exists(first)
	second := r.do(r.exists(first), regenerate, flash(`"b"`)).ID
	r.do(under, seen)
	if f := r.exists(second).Flash(); f != `[["message","b"]]` {
		t.Error(f)
	}
}

func TestFlashesOfParallelRequestsAreAllKept(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"x":1}`), flash(`"given"`))
		s := r.exists(id)
		var done []<-chan answer
		r.store.before(set, 1, slow(1e6))
		for i := range 50 {
			done = append(done, r.start(t.Context(), s, flash(fmt.Sprintf(`"%02d"`, i)), seen))
		}
		for _, d := range done {
			if a := <-d; a.err != nil {
				t.Error(a.err)
			}
		}
		text := r.exists(id).Flash()
		for i := range 50 {
			if !strings.Contains(text, fmt.Sprintf(`"%02d"`, i)) {
				t.Errorf("%02d is lost", i)
			}
		}
		if strings.Contains(text, "given") {
			t.Error("what was seen is still there")
		}
	})
}
