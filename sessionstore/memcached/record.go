package memcached

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/caddy-session/caddy-session/internal/remote"
	"github.com/caddy-session/caddy-session/sessionstore"
)

const (
	// ourFlags marks items that begin with a deadline in Unix milliseconds. Other programs number
	// their flags from 0.
	ourFlags    = 0x43535331
	deadlineLen = 8

	// Memcached reads an expiration beyond 30 days as a Unix time.
	maxRelative = 30 * 24 * 60 * 60
)

var errForeign = errors.New("the key holds an item of another program, which is not changed")

// record is the content of a key. Its value is nil if there is no item, or only an expired one.
type record struct {
	item  *memcache.Item
	value []byte
	ttl   time.Duration

	// bare says that the item has no deadline of ours: ttl is then the longest possible.
	bare bool
}

func (r record) entry() sessionstore.Entry {
	if r.value == nil {
		return sessionstore.Entry{}
	}
	return sessionstore.Entry{Value: r.value, TTL: r.ttl, TTLUnknown: r.bare}
}

// open reads an item.
func (o *Options) open(item *memcache.Item) (record, error) {
	if o.Layout != nil {
		value, err := unpack(o.Layout, item)
		return record{item: item, value: value, ttl: o.Lifetime, bare: true}, err
	}
	if item.Flags != ourFlags || len(item.Value) < deadlineLen {
		return record{}, errForeign
	}
	left := int64(binary.BigEndian.Uint64(item.Value)) - time.Now().UnixMilli()
	if left <= 0 {
		return record{item: item}, nil
	}
	left = min(left, math.MaxInt64/int64(time.Millisecond))
	return record{item: item, value: item.Value[deadlineLen:], ttl: time.Duration(left) * time.Millisecond}, nil
}

// fill is the reverse of open.
func (o *Options) fill(item *memcache.Item, value []byte, ttl time.Duration) {
	now := time.Now()
	seconds := int64(ttl/time.Second) + int64(min(ttl%time.Second, 1))
	if o.Layout != nil {
		pack(o.Layout, item, value)
	} else {
		ms := now.UnixMilli() + remote.Milliseconds(ttl)
		item.Flags = ourFlags
		item.Value = append(binary.BigEndian.AppendUint64(make([]byte, 0, deadlineLen+len(value)), uint64(ms)), value...)
		seconds++ // memcached's current second may be almost over, and our own deadline is exact
	}
	if seconds > maxRelative {
		seconds = min(now.Unix()+seconds, math.MaxInt32)
	}
	item.Expiration = int32(seconds)
}
