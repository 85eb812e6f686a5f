// Package phpsession shares the sessions that PHP keeps in a folder with its own handler, "files".
package phpsession

import (
	"crypto/rand"
	"fmt"

	"github.com/caddy-session/caddy-session/frameworks/php/files"
	"github.com/caddy-session/caddy-session/frameworks/php/serialize"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// maxID is the longest id, in bytes: the longest that fits a key of a store. PHP's own have up to
// 256, by default 32.
const maxID = sessionstore.MaxKey - len(files.Prefix)

// Options configure a [Codec].
type Options struct {
	// Form is PHP's session.serialize_handler.
	Form serialize.Form

	// Levels are how many levels of folders PHP's session.save_path has. An id must be longer.
	Levels int

	// IDLength and IDBits are PHP's session.sid_length and session.sid_bits_per_character.
	IDLength, IDBits int

	// Permanent says that the cookies outlive the browser.
	Permanent bool
}

// Codec is the [sessionstore.ForeignCodec] of PHP's records. Make one with [New]. It is safe for
// concurrent use.
//
// Every value that has not changed keeps the bytes that PHP has written. The messages of
// X-Session-Flash are the member caddy_flash of $_SESSION.
type Codec struct{ opts Options }

// New returns a codec with these options.
func New(opts Options) *Codec { return &Codec{opts: opts} }

// characters are those of PHP's ids, the first 16, 32 or 64 of them.
const characters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-,"

// NewID implements [sessionstore.ForeignCodec].
func (c *Codec) NewID() string {
	id := make([]byte, c.opts.IDLength)
	_, _ = rand.Read(id)
	for i, b := range id {
		id[i] = characters[b&(1<<c.opts.IDBits-1)]
	}
	return string(id)
}

// ValidID implements [sessionstore.ForeignCodec].
func (c *Codec) ValidID(id string) bool {
	return len(id) > c.opts.Levels && len(id) <= maxID && files.ValidID(id)
}

// Key implements [sessionstore.Codec].
func (*Codec) Key(id, _ string) string { return files.Prefix + id }

// KeyPrefix implements [sessionstore.KeyReader].
func (*Codec) KeyPrefix() string { return files.Prefix }

// Decode implements [sessionstore.Codec]. It returns [sessionstore.ErrRecord] if value is not in
// the form of PHP's serializer or is larger than [sessionstore.MaxRecord].
func (c *Codec) Decode(value []byte, r *sessionstore.Record) error {
	if len(value) > sessionstore.MaxRecord {
		return fmt.Errorf("%w: record of %d bytes exceeds the limit of %d", sessionstore.ErrRecord, len(value), sessionstore.MaxRecord)
	}
	was, err := c.opts.Form.Decode(string(value))
	if err != nil {
		return err
	}
	rec := sessionstore.Record{Origin: was, Permanent: c.opts.Permanent}
	if flash, own := readFlashes(was); own {
		rec.Flash, was = flash, was.With(flashesKey, nil)
	}
	if rec.Data, err = was.JSON(); err != nil {
		return err
	}
	*r = rec
	return nil
}

// Encode implements [sessionstore.Codec]. It returns [sessionstore.ErrInvalid] if the serializer
// cannot hold the data, and [sessionstore.ErrTooLarge] if the record would exceed
// [sessionstore.MaxRecord].
func (c *Codec) Encode(r *sessionstore.Record) ([]byte, error) {
	if r.Permanent != c.opts.Permanent {
		return nil, fmt.Errorf("%w: PHP's records do not say whether the cookie is permanent: set permanent in the block of the dialect", sessionstore.ErrInvalid)
	}
	was, _ := r.Origin.(*serialize.Array)
	if was == nil {
		was = new(serialize.Array)
	}
	doc, err := jsondoc.Parse(r.Data, jsondoc.MaxDepth)
	if err != nil {
		return nil, fmt.Errorf("%w: data is corrupt", sessionstore.ErrRecord)
	}
	next, err := merge(was, doc, r.Flash)
	if err != nil {
		return nil, err
	}
	return c.opts.Form.Encode(next, sessionstore.MaxRecord)
}

// Interface guards
var (
	_ sessionstore.ForeignCodec = (*Codec)(nil)
	_ sessionstore.KeyReader    = (*Codec)(nil)
)
