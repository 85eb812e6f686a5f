// Package flasksession shares the sessions that Flask-Session 0.3 to 0.8 keeps in a store, in each
// of its serializations.
package flasksession

import (
	"fmt"
	"sync/atomic"

	"github.com/caddy-session/caddy-session/frameworks/python"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// defaultKeyPrefix is Flask-Session's default for SESSION_KEY_PREFIX.
const defaultKeyPrefix = "session:"

// maxID is the longest id, in bytes. Flask-Session's own ids have 36 bytes (a UUID, up to 0.5) or
// 43.
const maxID = 128

// Options configure a [Codec].
type Options struct {
	// KeyPrefix is what a key has before the id: the app's SESSION_KEY_PREFIX.
	KeyPrefix string

	// Serialization is the serialization of new records. Default: [Auto].
	Serialization Serialization
}

// Codec is the [sessionstore.ForeignCodec] of Flask-Session's records. Make one with [New]. It is
// safe for concurrent use.
//
// Data is JSON. A value of a type that JSON lacks is tagged as Flask tags it; if Flask has no tag
// for it, a marker stands for it. _permanent and _flashes are not in Data: they are the record's
// Permanent and Flash. A record is written back in the serialization that it was read in, and every
// value that has not changed keeps its type.
type Codec struct {
	opts Options

	// seen is the form of the record that was read last.
	seen atomic.Pointer[form]
}

// New returns a codec with these options.
func New(opts Options) *Codec { return &Codec{opts: opts} }

// NewID implements [sessionstore.ForeignCodec].
func (*Codec) NewID() string { return sessionstore.NewID() }

// ValidID implements [sessionstore.ForeignCodec].
func (*Codec) ValidID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// Key implements [sessionstore.Codec].
func (c *Codec) Key(id, _ string) string { return c.opts.KeyPrefix + id }

// KeyPrefix implements [sessionstore.KeyReader].
func (c *Codec) KeyPrefix() string { return c.opts.KeyPrefix }

// Members of a session that belong to Flask itself.
const (
	permanentKey = "_permanent"
	flashesKey   = "_flashes"
)

// origin is the decoded form of a record, before it is changed.
type origin struct {
	form form
	dict *python.Dict
}

// formOf names the serialization that a record was read in, such as "pickle, protocol 4".
func formOf(r *sessionstore.Record) string {
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

// Decode implements [sessionstore.Codec]. It returns [sessionstore.ErrRecord] if value is not a
// record of Flask-Session or is larger than [sessionstore.MaxRecord].
func (c *Codec) Decode(value []byte, r *sessionstore.Record) error {
	if len(value) > sessionstore.MaxRecord {
		return fmt.Errorf("%w: record of %d bytes exceeds the limit of %d", sessionstore.ErrRecord, len(value), sessionstore.MaxRecord)
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

// Encode implements [sessionstore.Codec]. It returns [sessionstore.ErrInvalid] if the serialization
// cannot hold the data, and [sessionstore.ErrTooLarge] if the record would exceed
// [sessionstore.MaxRecord].
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
		err = fmt.Errorf("%w: record of %d bytes exceeds the limit of %d", sessionstore.ErrTooLarge, len(value), sessionstore.MaxRecord)
	}
	return value, err
}

// newForm returns the form of a new record.
func (c *Codec) newForm() form {
	if c.opts.Serialization != Auto {
		return form{c.opts.Serialization, newProtocol}
	}
	if seen := c.seen.Load(); seen != nil {
		return *seen
	}
	return form{Pickle, newProtocol}
}

// merge returns the changed dict of a record, in its former order.
func merge(was *origin, r *sessionstore.Record) (*python.Dict, error) {
	doc, err := jsondoc.Parse(r.Data, jsondoc.MaxDepth)
	if err != nil {
		return nil, fmt.Errorf("%w: data is corrupt", sessionstore.ErrRecord)
	}
	for name := range doc.Members() {
		if name == permanentKey || name == flashesKey {
			return nil, fmt.Errorf("%w: %s belongs to Flask and cannot be set as data: use its header", sessionstore.ErrInvalid, name)
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
	add := func(key python.Value) {
		name, _ := python.Text(key)
		if v := own[name]; v != nil {
			dict.Add(key, v)
		}
		delete(own, name)
	}
	if _, found := was.dict.Get(permanentKey); !found {
		add(python.Str(permanentKey))
	}
	rest := data.Pairs
	for _, p := range was.dict.Pairs {
		if name, ok := python.Text(p.Key); ok && (name == permanentKey || name == flashesKey) {
			add(p.Key)
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
	add(python.Str(flashesKey))
	return dict, nil
}

// permanence returns the value of _permanent, or nil for none: the former value stays if its truth
// is the same.
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
