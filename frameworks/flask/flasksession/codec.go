// Package flasksession shares the sessions that Flask-Session, 0.3 to 0.8, keeps in a store, in each of its serializations.
package flasksession

import (
	"fmt"
	"sync/atomic"

	"github.com/caddy-session/caddy-session/frameworks/python"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// DefaultKeyPrefix is Flask-Session's default for SESSION_KEY_PREFIX.
const DefaultKeyPrefix = "session:"

// maxID is the length of the longest id, in bytes. Flask-Session's own have 36 (a UUID, up to 0.5) or 43.
const maxID = 128

// Options configure a [Codec].
type Options struct {
	// KeyPrefix stands before the id in a key: the app's SESSION_KEY_PREFIX.
	KeyPrefix string

	// Serialization is what new records are written in.
	Serialization Serialization
}

// Codec is the [sessionstore.ForeignCodec] of these records. It is made by [New] and safe for concurrent use.
//
// The data are JSON with the types of Python that JSON does not have tagged as Flask tags them, and markers for what has no
// tag, but for _permanent and _flashes, which are the record's Permanent and Flash. A record that was read is written back in its own
// serialization, with all types and values of what has not changed.
type Codec struct {
	opts Options

	// seen is the serialization of the record that was read last.
	seen atomic.Pointer[form]
}

// New returns a codec.
func New(opts Options) *Codec { return &Codec{opts: opts} }

// NewID implements [sessionstore.ForeignCodec].
func (*Codec) NewID() string { return sessionstore.NewID() }

// ValidID implements [sessionstore.ForeignCodec].
func (*Codec) ValidID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for _, c := range []byte(id) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// Key implements [sessionstore.Codec].
func (c *Codec) Key(id, _ string) string { return c.opts.KeyPrefix + id }

// The members of a session that are Flask's own.
const (
	permanentKey = "_permanent"
	flashesKey   = "_flashes"
)

// origin is what a record was read from.
type origin struct {
	form form
	dict *python.Dict
}

// FormOf names the serialization of a record that was read, such as "pickle, protocol 4".
func FormOf(r *sessionstore.Record) string {
	was, ok := r.Origin.(*origin)
	switch {
	case !ok:
		return "none"
	case was.form.serialization == Pickle:
		return fmt.Sprintf("pickle, protocol %d", was.form.protocol)
	default:
		return string(was.form.serialization)
	}
}

// Decode implements [sessionstore.Codec]. A value that is larger than any record is not looked at.
func (c *Codec) Decode(value []byte, r *sessionstore.Record) error {
	if len(value) > sessionstore.MaxRecord {
		return fmt.Errorf("%w: it has %d bytes, at most %d are read", sessionstore.ErrRecord, len(value), sessionstore.MaxRecord)
	}
	dict, found, err := decode(value)
	if err != nil {
		return err
	}
	rec := sessionstore.Record{Origin: &origin{found, dict}}
	if rec.Data, err = python.ToJSON(dict.Without(permanentKey, flashesKey)); err != nil {
		return err
	}
	if v, ok := dict.Get(permanentKey); ok {
		rec.Permanent = python.Truth(v)
	}
	if v, ok := dict.Get(flashesKey); ok {
		if rec.Flash, err = readFlashes(v); err != nil {
			return err
		}
	}
	*r = rec
	if last := c.seen.Load(); last == nil || *last != found {
		c.seen.Store(&found)
	}
	return nil
}

// Encode implements [sessionstore.Codec]. It returns [sessionstore.ErrInvalid] if the serialization cannot hold the data, and
// [sessionstore.ErrTooLarge].
func (c *Codec) Encode(r *sessionstore.Record) ([]byte, error) {
	was, _ := r.Origin.(*origin)
	if was == nil {
		was = &origin{c.newForm(), new(python.Dict)}
	}
	dict, err := merge(was, r)
	if err != nil {
		return nil, err
	}
	value, err := was.form.encode(dict)
	if err == nil && len(value) > sessionstore.MaxRecord {
		err = fmt.Errorf("%w: a record of %d bytes, at most %d are kept", sessionstore.ErrTooLarge, len(value), sessionstore.MaxRecord)
	}
	return value, err
}

// newForm is what a new record is written in.
func (c *Codec) newForm() form {
	if c.opts.Serialization != Auto {
		return form{c.opts.Serialization, newProtocol}
	}
	if seen := c.seen.Load(); seen != nil {
		return *seen
	}
	return form{Pickle, newProtocol}
}

// merge returns what the dict of a record has become, in the order that it had.
func merge(was *origin, r *sessionstore.Record) (*python.Dict, error) {
	doc, err := jsondoc.Parse(r.Data, jsondoc.MaxDepth)
	if err != nil {
		return nil, fmt.Errorf("%w: its data are damaged", sessionstore.ErrRecord)
	}
	for name := range doc.Members() {
		if name == permanentKey || name == flashesKey {
			return nil, fmt.Errorf("%w: %s is Flask's own, and has a header of its own here", sessionstore.ErrInvalid, name)
		}
	}
	data, err := python.Merge(was.dict.Without(permanentKey, flashesKey), doc, was.form.maker())
	if err != nil {
		return nil, err
	}
	permanent := permanence(was.dict, r.Permanent)
	flashes, err := writeFlashes(was, r.Flash)
	if err != nil {
		return nil, err
	}

	own := map[string]python.Value{permanentKey: permanent, flashesKey: flashes}
	dict := new(python.Dict)
	add := func(name string) {
		if v := own[name]; v != nil {
			dict.Add(python.Str(name), v)
		}
		delete(own, name)
	}
	if _, found := was.dict.Get(permanentKey); !found {
		add(permanentKey)
	}
	rest := data.Pairs
	for _, p := range was.dict.Pairs {
		if name, ok := p.Key.(python.Str); ok && (name == permanentKey || name == flashesKey) {
			add(string(name))
			continue
		}
		if len(rest) > 0 && rest[0].Key == p.Key {
			dict.Add(rest[0].Key, rest[0].Value)
			rest = rest[1:]
		}
	}
	for _, p := range rest {
		dict.Add(p.Key, p.Value)
	}
	add(flashesKey)
	return dict, nil
}

// permanence is what stands under _permanent, or nothing: what stood there stays if it means the same.
func permanence(was *python.Dict, permanent bool) python.Value {
	v, found := was.Get(permanentKey)
	switch {
	case found && python.Truth(v) == permanent:
		return v
	case found || permanent:
		return python.Bool(permanent)
	default:
		return nil
	}
}

// Interface guard
var _ sessionstore.ForeignCodec = (*Codec)(nil)
