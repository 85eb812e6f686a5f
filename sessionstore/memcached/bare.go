package memcached

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

var (
	errKind       = fmt.Errorf("%w: memcached: the item's flags say that it is neither bytes nor text", sessionstore.ErrRecord)
	errCompressed = fmt.Errorf("%w: memcached: the compressed item is corrupt", sessionstore.ErrRecord)
)

// unpack returns the record in another program's item.
func unpack(l *layout.Memcached, item *memcache.Item) ([]byte, error) {
	switch {
	case item.Flags&^(l.Zlib|l.Plain) != 0:
		return nil, errKind
	case item.Flags&l.Zlib == 0:
		if len(item.Value) > sessionstore.MaxValue {
			return nil, errTooLarge
		}
		return item.Value, nil
	}
	z, err := zlib.NewReader(bytes.NewReader(item.Value))
	if err != nil {
		return nil, errCompressed
	}
	value, err := io.ReadAll(io.LimitReader(z, sessionstore.MaxValue+1))
	switch {
	case len(value) > sessionstore.MaxValue:
		return nil, errTooLarge
	case err != nil:
		return nil, errCompressed
	default:
		return value, nil
	}
}

// pack is the reverse of unpack. The item keeps its flags; a new item has none.
func pack(l *layout.Memcached, item *memcache.Item, value []byte) {
	item.Value = value
	if item.Flags&l.Zlib == 0 {
		return
	}
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write(value) // a buffer returns no errors
	_ = z.Close()
	item.Value = b.Bytes()
}
