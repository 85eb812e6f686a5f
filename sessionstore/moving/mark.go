package moving

import (
	"bytes"
	"crypto/rand"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// kind is what a mark says. See the documentation of the package.
type kind byte

const (
	kindNone  kind = 0 // is never stored
	kindClaim kind = 'n'
	kindCopy  kind = 'c'
	kindGone  kind = 'g'
)

const (
	magic = sessionstore.MovingMark

	tokenLen = 16
	markLen  = len(magic) + 1 + tokenLen

	// claimed is how long a claim is kept at most, and a mark in the place of a record that has
	// ended.
	claimed = time.Minute
)

// newMark returns a mark with a new token. Only a copy has content.
func newMark(k kind, content []byte) []byte {
	b := make([]byte, markLen, markLen+len(content))
	copy(b, magic)
	b[len(magic)] = byte(k)
	_, _ = rand.Read(b[len(magic)+1:])
	return append(b, content...)
}

// goneTo returns the mark that leads to a copy.
func goneTo(c []byte) []byte {
	b := bytes.Clone(c[:markLen])
	b[len(magic)] = byte(kindGone)
	return b
}

// content returns what a copy holds. Nobody may change it.
func content(c []byte) []byte { return c[markLen:len(c):len(c)] }

// kindOf returns the kind of a mark, or kindNone for a record or nothing.
func kindOf(e sessionstore.Entry) kind {
	if len(e.Value) < markLen || string(e.Value[:len(magic)]) != magic {
		return kindNone
	}
	return kind(e.Value[len(magic)])
}

// record reports whether there is a record, and no mark.
func record(e sessionstore.Entry) bool { return e.Found() && kindOf(e) == kindNone }

// is reports whether there is this record.
func is(e sessionstore.Entry, value []byte) bool { return e.Found() && bytes.Equal(e.Value, value) }
