// Package securecookie shares and adopts the sessions that Flask keeps in its own signed cookie (SecureCookieSessionInterface, Flask
// 0.10 to 3.1): a JSON object in which types that JSON does not have are tagged, such as {" t":[1,2]} for a tuple.
package securecookie

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"io"
	"sync"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Codec is the [sessionstore.ForeignCodec] of what such a cookie holds before the time and the signature, which
// [Signer] adds: the JSON in base64url, or "." and its zlib stream in base64url.
//
// The data are the JSON as it stands, with its tags, and with markers such as {" o":"float#NaN"} for what is no JSON, but for
// _permanent and _flashes, which are the record's Permanent and Flash. A message that is no string, such as Markup, is shown as its text, and what it is stands behind it.
type Codec struct{}

// NewID implements [sessionstore.ForeignCodec]. These sessions have no ids.
func (Codec) NewID() string { return sessionstore.NewID() }

// ValidID implements [sessionstore.ForeignCodec]. These sessions have no ids.
func (Codec) ValidID(string) bool { return false }

// Key implements [sessionstore.Codec].
func (Codec) Key(_, ref string) string { return ref }

// The members of a session that are Flask's own.
const (
	permanentKey = "_permanent"
	flashesKey   = "_flashes"
)

// impermanent is the origin of a record whose _permanent was there, and false.
type impermanent struct{}

// Decode implements [sessionstore.Codec].
func (Codec) Decode(payload []byte, r *sessionstore.Record) error {
	text, err := unpack(payload)
	if err != nil {
		return fmt.Errorf("%w: %w", sessionstore.ErrRecord, err)
	}
	if text, err = showNumbers(text); err != nil {
		return err
	}
	doc, err := jsondoc.Parse(text, jsondoc.MaxDepth)
	if err != nil || doc.Kind() != jsondoc.Object {
		return fmt.Errorf("%w: it holds no JSON object", sessionstore.ErrRecord)
	}
	*r = sessionstore.Record{}
	for name, value := range doc.Members() {
		switch name {
		case permanentKey:
			r.Permanent = truth(value)
			if !r.Permanent {
				r.Origin = impermanent{}
			}
		case flashesKey:
			if r.Flash, err = readFlashes(value); err != nil {
				return err
			}
		}
	}
	r.Data = without(doc).AppendASCII(nil)
	return nil
}

// truth is Python's bool().
func truth(v jsondoc.Value) bool {
	switch v.Kind() {
	case jsondoc.Null:
		return false
	case jsondoc.Bool:
		return v.Native() == true
	case jsondoc.String:
		return v.String() != ""
	case jsondoc.Number:
		return !v.Equal(zero)
	default:
		return v.Len() > 0
	}
}

var zero, _ = jsondoc.Parse("0", 1)

// without returns the data alone.
func without(doc jsondoc.Value) jsondoc.Value {
	for _, name := range []string{permanentKey, flashesKey} {
		path, _ := jsondoc.ParsePath(name)
		doc, _ = jsondoc.Remove(doc, path) // never fails: the path is not empty
	}
	return doc
}

// Encode implements [sessionstore.Codec]. It returns [sessionstore.ErrInvalid] if a tag has a value with which Flask could not
// read the session any more.
func (Codec) Encode(r *sessionstore.Record) ([]byte, error) {
	doc, err := jsondoc.Parse(r.Data, jsondoc.MaxDepth)
	if err != nil {
		return nil, fmt.Errorf("%w: its data are damaged", sessionstore.ErrRecord)
	}
	if err := Check(doc); err != nil {
		return nil, err
	}
	flashes, err := writeFlashes(r.Flash)
	if err != nil {
		return nil, err
	}
	own := []member{}
	if flashes != "" {
		own = append(own, member{flashesKey, flashes})
	}
	if _, was := r.Origin.(impermanent); was || r.Permanent {
		own = append(own, member{permanentKey, fmt.Sprint(r.Permanent)})
	}
	return pack(hideNumbers(appendSorted(nil, doc, own...))), nil
}

// Check reports whether Flask could read a session with these data: it returns [sessionstore.ErrInvalid] if a tag has a value
// that it cannot have, or if a member is one of Flask's own.
func Check(doc jsondoc.Value) error {
	for name := range doc.Members() {
		if name == permanentKey || name == flashesKey {
			return fmt.Errorf("%w: %s is Flask's own, and has a header of its own here", sessionstore.ErrInvalid, name)
		}
	}
	return checkTags(doc)
}

// writers are used again, as each has more than half a megabyte of tables.
var writers = sync.Pool{New: func() any { return zlib.NewWriter(io.Discard) }}

// pack is how Flask puts the JSON into a cookie: it is compressed if that saves more than the dot.
func pack(text []byte) []byte {
	var compressed bytes.Buffer
	w := writers.Get().(*zlib.Writer)
	defer writers.Put(w)
	w.Reset(&compressed)
	_, _ = w.Write(text)
	_ = w.Close()
	if compressed.Len() < len(text)-1 {
		return base64.RawURLEncoding.AppendEncode([]byte{'.'}, compressed.Bytes())
	}
	return base64.RawURLEncoding.AppendEncode(nil, text)
}

// unpack is the reverse of pack. However well it is compressed, no more is read than a record may have.
func unpack(payload []byte) ([]byte, error) {
	encoded, compressed := bytes.CutPrefix(payload, []byte{'.'})
	text, err := base64.RawURLEncoding.AppendDecode(nil, encoded)
	if err != nil {
		return nil, fmt.Errorf("it is not base64url")
	}
	if !compressed {
		return text, nil
	}
	r, err := zlib.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("it is not compressed")
	}
	text, err = io.ReadAll(io.LimitReader(r, sessionstore.MaxRecord+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("it is damaged")
	case len(text) > sessionstore.MaxRecord:
		return nil, fmt.Errorf("it is larger than %d bytes", sessionstore.MaxRecord)
	}
	return text, nil
}

// Interface guard
var _ sessionstore.ForeignCodec = Codec{}
