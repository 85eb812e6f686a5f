package memcached

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// The flags with which pylibmc, python-memcached and pymemcache say what an item is. None of them is for plain bytes.
const (
	flagCompressed = 1 << 3
	flagText       = 1 << 4
)

var (
	errKind       = fmt.Errorf("%w: memcached: the app's client has stored what is neither bytes nor text", sessionstore.ErrRecord)
	errCompressed = fmt.Errorf("%w: memcached: what the app's client has compressed is damaged", sessionstore.ErrRecord)
)

// unpack returns the record in an item of another program.
func unpack(item *memcache.Item) ([]byte, error) {
	switch {
	case item.Flags&^(flagCompressed|flagText) != 0:
		return nil, errKind
	case item.Flags&flagCompressed == 0:
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

// pack is the reverse of unpack: the item stays of the kind that it is. What is new is bytes.
func pack(item *memcache.Item, value []byte) {
	item.Value = value
	if item.Flags&flagCompressed == 0 {
		return
	}
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write(value) // a buffer takes everything
	_ = z.Close()
	item.Value = b.Bytes()
}
