// Package msgpack reads and writes sessions in MessagePack as msgspec does: items keep their order,
// extension types are kept, trailing bytes are an error.
//
// See https://github.com/msgpack/msgpack/blob/master/spec.md.
package msgpack

import (
	"fmt"
	"time"

	"github.com/caddy-session/caddy-session/frameworks/python"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// The first bytes of values, or of ranges of values.
const (
	fixMap   = 0x80
	fixArray = 0x90
	fixStr   = 0xa0
	nothing  = 0xc0
	never    = 0xc1
	no       = 0xc2
	yes      = 0xc3
	bin8     = 0xc4
	ext8     = 0xc7
	ext32    = 0xc9
	float32_ = 0xca
	float64_ = 0xcb
	uint8_   = 0xcc
	uint64_  = 0xcf
	int8_    = 0xd0
	int64_   = 0xd3
	fixExt1  = 0xd4
	fixExt16 = 0xd8
	str8     = 0xd9
	array16  = 0xdc
	map16    = 0xde
	negative = 0xe0
)

var (
	errMessage   = fmt.Errorf("%w: not a session in MessagePack", sessionstore.ErrRecord)
	errTruncated = fmt.Errorf("%w: the MessagePack is truncated", sessionstore.ErrRecord)
)

// Maker makes new values as msgspec writes them. MessagePack has no tuples and no UUIDs: they
// become lists and strings. It has no Markup, which msgspec refuses.
var Maker = python.Maker{
	Tuple:    func(items []python.Value) python.Value { return &python.List{Items: items} },
	Bytes:    func(b string) python.Value { return python.Bytes(b) },
	UUID:     python.NewUUIDText,
	Datetime: func(t time.Time) python.Value { return python.NewTimestamp(t) },
}
