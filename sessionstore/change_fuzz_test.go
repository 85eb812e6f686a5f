package sessionstore_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

const fuzzMaxSize = 300

// FuzzChange reads one part of a change from each line: its first byte says what it is. A "c"
// commits what came so far. Whatever is asked for, the session stays one.
func FuzzChange(f *testing.F) {
	for _, script := range []string{
		"u{\"a\":1}\nc",
		"u{\"a\":1}\nf\"hello\"\nc\ns\nc\nu{\"a\":null}\nc",
		"u[{\"op\":\"add\",\"path\":\"/a\",\"value\":[1,2]},{\"op\":\"increment\",\"path\":\"/n\",\"value\":1e3}]\nc\nr\nc",
		"u{\"user\":{\"id\":1}}\nc\nu{\"user\":{\"id\":2}}\nc\nd\nu{\"b\":\"\\ud800\"}\nc",
		"u{\"\xc3\xbc\":\"\x7f\xe2\x80\xa8\"}\nf[\"a\",\"b\"]\ns[\"a\"]\np\ni60\nc\np\nc\ni0\nc",
		"f\"x\"\nc\ns\nc\nu{}\nc\nd\nc\nc",
		"u[{\"op\":\"replace\",\"path\":\"\",\"value\":[]}]\nc\nu[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/a\"}]\nc",
		"u{\"a\":{\"b\":[{\"c\":null}]}}\nc\nu[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"/a/b/0\"}]\nc\nu[{\"op\":\"test\",\"path\":\"/a\",\"value\":1.0}]\nc",
	} {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script string) {
		now := time.Unix(1e9, 0)
		r := newRig(t, sessionstore.Options{MaxSize: fuzzMaxSize, RegenerateOn: paths("user"), Now: func() time.Time { return now }})
		r.TB = t
		id := sessionstore.NewID()
		change := new(sessionstore.Change)
		commits := 0
		for line := range strings.Lines(script) {
			line = strings.TrimSuffix(line, "\n")
			if line == "" {
				continue
			}
			if line[0] != 'c' {
				readPart(t, change, line[0], line[1:])
				continue
			}
			if commits++; commits > 20 {
				return
			}
			id = commitChecked(r, id, change)
			change = new(sessionstore.Change)
		}
	})
}

// readPart adds to the change what a header would, if it is valid.
func readPart(t *testing.T, change *sessionstore.Change, kind byte, text string) {
	switch kind {
	case 'u', 'f':
		if kind == 'u' {
			e, err := sessionstore.ParseEdit(text)
			if err == nil {
				change.Edits = append(change.Edits, e)
			} else if !errors.Is(err, sessionstore.ErrInvalid) {
				t.Error(err)
			}
			return
		}
		flash, err := sessionstore.ParseFlash(text)
		if err == nil {
			change.Flashes = append(change.Flashes, flash)
		} else if !errors.Is(err, sessionstore.ErrInvalid) {
			t.Error(err)
		}
	case 's':
		change.FlashSeen = true
		if v, err := jsondoc.Parse(text, 2); err == nil {
			change.FlashCategories = []string{}
			for _, item := range v.Items() {
				change.FlashCategories = append(change.FlashCategories, item.String())
			}
		}
	case 'r':
		change.Regenerate = true
	case 'd':
		change.Destroy = true
	case 'p':
		on := change.Permanent == nil || !*change.Permanent
		change.Permanent = &on
	case 'i':
		d := time.Duration(len(text)) * time.Minute
		change.IdleTimeout = &d
	}
}

// commitChecked commits to the session under id and returns the id that the client has then.
func commitChecked(r *rig, id string, change *sessionstore.Change) string {
	s := r.load(id)
	before, records := r.entry(id), len(r.records())
	out, err := r.Commit(r.Context(), s, change)
	switch {
	case err != nil:
		if !errors.Is(err, sessionstore.ErrInvalid) {
			r.Fatal(err)
		}
		fallthrough
	case out.Result == sessionstore.Unchanged:
		if !bytes.Equal(r.entry(id).Value, before.Value) || len(r.records()) != records {
			r.Fatalf("error %v, result %d, and the store has changed", err, out.Result)
		}
		if out.Cookie == sessionstore.CookieSet {
			r.Fatal("a cookie for nothing")
		}
		return id
	case out.Result == sessionstore.Dropped:
		r.Fatal("dropped, with nobody else there")
	}
	switch out.Cookie {
	case sessionstore.CookieExpired:
		if !s.Exists() {
			r.Fatal("there was nothing to expire")
		}
		r.gone(id)
		return sessionstore.NewID()
	case sessionstore.CookieSet:
		id = out.ID
	}
	after := r.load(id)
	if !after.Exists() || after.Former() || after.Data() == "{}" && after.Flash() == "" {
		r.Fatalf("saved, but there is %q, %q", after.Data(), after.Flash())
	}
	if change.Permanent != nil && after.Permanent() != *change.Permanent {
		r.Fatal("the permanence is another")
	}
	canonical(r, after.Data(), jsondoc.Object, fuzzMaxSize)
	if after.Flash() != "" {
		canonical(r, after.Flash(), jsondoc.Array, sessionstore.MaxFlash)
		var messages [][2]string
		if err := json.Unmarshal([]byte(after.Flash()), &messages); err != nil || len(messages) == 0 {
			r.Fatalf("messages %s: %v", after.Flash(), err)
		}
	}
	return id
}

// canonical checks a stored text.
func canonical(r *rig, text string, kind jsondoc.Kind, limit int) {
	v, err := jsondoc.Parse(text, jsondoc.MaxDepth)
	if err != nil || v.Kind() != kind || string(v.AppendASCII(nil)) != text || !json.Valid([]byte(text)) {
		r.Fatalf("stored %q: %v", text, err)
	}
	if len(text) > limit {
		r.Fatalf("stored %d bytes", len(text))
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			r.Fatalf("stored the byte %#x", text[i])
		}
	}
}
