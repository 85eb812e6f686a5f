// Package securecookie shares and adopts the sessions that Flask keeps in its own signed cookie
// (SecureCookieSessionInterface of Flask 1.0 to 3.1, with itsdangerous 1.1 or newer, whose times
// are Unix times): a JSON object in which types that JSON lacks are tagged, such as {" t":[1,2]}
// for a tuple.
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

// Codec is the [sessionstore.ForeignCodec] of the cookie's payload, without the time and the
// signature that [Signer] adds: the JSON in base64url, or "." and the JSON compressed by zlib in
// base64url.
//
// Data is that JSON with its tags. A marker such as {" o":"float#NaN"} stands for what is not JSON.
// _permanent and _flashes are not in Data: they are the record's Permanent and Flash. If a message
// is not a string, such as Markup, its text is shown and its stored form follows as a third item.
type Codec struct{}

// NewID implements [sessionstore.ForeignCodec]. Nothing uses it: these sessions have no ids.
func (Codec) NewID() string { return sessionstore.NewID() }

// ValidID implements [sessionstore.ForeignCodec]. It returns false: these sessions have no ids.
func (Codec) ValidID(string) bool { return false }

// Key implements [sessionstore.Codec].
func (Codec) Key(_, ref string) string { return ref }

// Members of a session that belong to Flask itself.
const (
	permanentKey = "_permanent"
	flashesKey   = "_flashes"
)

// origin is what Data does not say of a payload.
type origin struct {
	// impermanent says that _permanent was set to false.
	impermanent bool

	// ordered says that members are not sorted: the app's sort_keys is off, so their order counts.
	ordered bool
}

// Decode implements [sessionstore.Codec]. It returns [sessionstore.ErrRecord] if the payload is not
// a session.
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
		return fmt.Errorf("%w: not a JSON object", sessionstore.ErrRecord)
	}
	*r = sessionstore.Record{}
	was := origin{ordered: !isSorted(doc)}
	for name, value := range doc.Members() {
		switch name {
		case permanentKey:
			r.Permanent = truth(value)
			was.impermanent = !r.Permanent
		case flashesKey:
			if r.Flash, err = readFlashes(value); err != nil {
				return err
			}
		}
	}
	if was != (origin{}) {
		r.Origin = was
	}
	r.Data = without(doc).AppendASCII(nil)
	return nil
}

// truth is Python's bool(v).
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

// without returns the document without Flask's own members.
func without(doc jsondoc.Value) jsondoc.Value {
	for _, name := range []string{permanentKey, flashesKey} {
		path, _ := jsondoc.ParsePath(name)
		doc, _ = jsondoc.Remove(doc, path) // cannot fail: the path is not empty
	}
	return doc
}

// Encode implements [sessionstore.Codec]. It returns [sessionstore.ErrInvalid] if Flask could not
// read the session because a tag has a wrong value.
func (Codec) Encode(r *sessionstore.Record) ([]byte, error) {
	doc, err := jsondoc.Parse(r.Data, jsondoc.MaxDepth)
	if err != nil {
		return nil, fmt.Errorf("%w: data is corrupt", sessionstore.ErrRecord)
	}
	if err := check(doc); err != nil {
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
	was, _ := r.Origin.(origin)
	if was.impermanent || r.Permanent {
		own = append(own, member{permanentKey, fmt.Sprint(r.Permanent)})
	}
	return pack(hideNumbers(appendJSON(nil, doc, !was.ordered, own...))), nil
}

// check returns [sessionstore.ErrInvalid] if Flask could not read a session with these data: a tag
// has a wrong value, or a member is one of Flask's own.
func check(doc jsondoc.Value) error {
	for name := range doc.Members() {
		if name == permanentKey || name == flashesKey {
			return fmt.Errorf("%w: %s belongs to Flask and cannot be set as data: use its header", sessionstore.ErrInvalid, name)
		}
	}
	if _, tag, ok := tagged(doc); ok && tag != tagDict {
		return fmt.Errorf("%w: the data are a value with the tag %q, and no object", sessionstore.ErrInvalid, tag)
	}
	return checkTags(doc)
}

// writers is a pool because each writer has more than 512 KiB of tables.
var writers = sync.Pool{New: func() any { return zlib.NewWriter(io.Discard) }}

// pack encodes the JSON as Flask does: compressed if that saves more than the dot costs.
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

// unpack is the reverse of pack. It reads at most [sessionstore.MaxRecord] bytes, so a compression
// bomb is harmless.
func unpack(payload []byte) ([]byte, error) {
	encoded, compressed := bytes.CutPrefix(payload, []byte{'.'})
	text, err := base64.RawURLEncoding.AppendDecode(nil, encoded)
	if err != nil {
		return nil, fmt.Errorf("payload is not base64url")
	}
	if !compressed {
		return text, nil
	}
	r, err := decompress(text)
	if err != nil {
		return nil, fmt.Errorf("payload is not zlib")
	}
	defer readers.Put(r)
	text, err = io.ReadAll(io.LimitReader(r, sessionstore.MaxRecord+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("zlib stream is corrupt")
	case len(text) > sessionstore.MaxRecord:
		return nil, fmt.Errorf("payload is larger than %d bytes", sessionstore.MaxRecord)
	}
	return text, nil
}

// readers are used again: a new one takes 40 KB and two thirds of the time of reading a cookie (go
// test -bench CompressedCookie ./frameworks/flask/securecookie).
var readers sync.Pool

func decompress(text []byte) (io.Reader, error) {
	if r, ok := readers.Get().(io.Reader); ok {
		return r, r.(zlib.Resetter).Reset(bytes.NewReader(text), nil)
	}
	return zlib.NewReader(bytes.NewReader(text))
}

// Interface guard
var _ sessionstore.ForeignCodec = Codec{}
