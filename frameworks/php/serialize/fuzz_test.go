package serialize_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/caddy-session/caddy-session/frameworks/php/serialize"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// FuzzDecode reads whatever it is given. What can be read and written reads back the same, and is
// written the same again.
func FuzzDecode(f *testing.F) {
	for _, record := range []string{
		"", `a|i:1;b|s:3:"Zoë";`, `user_id|i:42;cart|a:2:{i:0;i:1;i:1;i:2;}admin|b:0;`, "\x01ai:1;", `a:2:{s:1:"a";d:-0;i:5;N;}`,
		`o|O:4:"Cart":1:{s:8:"` + "\x00*\x00total" + `";d:1.5;}p|r:1;q|a:1:{i:0;r:1;}`, `a|i:5;b|R:1;`, `a|a:1:{s:4:"self";R:1;}`,
		`e|E:11:"Suit:Hearts";f|r:1;`, `c|C:3:"Old":6:{x:i:1;}d|i:1;`, `c|C:3:"Old":4:{r:1;}d|r:1;`, `s|S:2:"\41b";`, `a|a:1:{s:2:" o";i:1;}`,
		`a:1:{s:4:"root";R:1;}`, "a|s:2:\"\xff\xfe\";\xff|i:1;", `a|d:INF;b|d:1.0E+25;c|d:.5;`, `a|a:2:{i:0;i:1;s:1:"0";i:2;}`,
	} {
		for form := range serialize.Forms {
			f.Add(form, []byte(record))
		}
	}
	f.Fuzz(func(t *testing.T, n int, record []byte) {
		form := serialize.Forms[uint(n)%uint(len(serialize.Forms))]
		was, err := form.Decode(string(record))
		if err != nil {
			if !errors.Is(err, sessionstore.ErrRecord) {
				t.Fatal(err)
			}
			return
		}
		out, _ := rewritten(t, form, was)
		read, err := form.Decode(string(out))
		if err != nil {
			t.Fatalf("%q was written as %q: %v", record, out, err)
		}
		// A value that was hidden behind another of the same name is gone now, and what referred to
		// it too.
		again, data := rewritten(t, form, read)
		if !bytes.Equal(again, out) {
			t.Fatalf("%q was written as %q", out, again)
		}
		if read, err = form.Decode(string(again)); err != nil {
			t.Fatal(err)
		}
		if text, err := read.JSON(); err != nil || !bytes.Equal(text, data) {
			t.Fatalf("%q with %s has %s now, %v", again, data, text, err)
		}
	})
}

// rewritten writes a session with its own JSON, and returns both.
func rewritten(t *testing.T, form serialize.Form, a *serialize.Array) (out, data []byte) {
	data, err := a.JSON()
	if err != nil {
		t.Skip() // it is too large, or JSON cannot tell its members apart
	}
	doc, err := jsondoc.Parse(data, jsondoc.MaxDepth)
	if err != nil {
		t.Fatal(err)
	}
	next, err := a.Merge(doc)
	if err != nil {
		t.Fatal(err)
	}
	out, err = form.Encode(next, sessionstore.MaxRecord)
	if errors.Is(err, sessionstore.ErrInvalid) || errors.Is(err, sessionstore.ErrTooLarge) {
		t.Skip()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out, data
}
