package bolt

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/caddy-session/caddy-session/internal/boltfile"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// headLen is the length of the head of a record: when it expires, in milliseconds of Unix time,
// big-endian. The value follows.
const headLen = 8

// longAgo is a deadline that has passed, whatever the clock says.
const longAgo = math.MinInt64

// appendRecord appends a record to buf and returns both.
func appendRecord(buf []byte, deadline int64, value []byte) (whole, record []byte) {
	start := len(buf)
	buf = binary.BigEndian.AppendUint64(buf, uint64(deadline))
	buf = append(buf, value...)
	return buf, buf[start:len(buf):len(buf)]
}

// record is what a key holds. If its value points into the file, it is valid until the transaction
// ends.
type record struct {
	value    []byte // nil: no record
	deadline int64
}

// readRecord decodes what a key holds. An expired record is none.
func readRecord(raw []byte, now int64) (record, error) {
	if raw == nil {
		return record{}, nil
	}
	if len(raw) < headLen || len(raw) > headLen+sessionstore.MaxValue {
		return record{}, fmt.Errorf("%w: a record has %d bytes", boltfile.ErrDamaged, len(raw))
	}
	r := record{value: raw[headLen:], deadline: int64(binary.BigEndian.Uint64(raw))}
	return r.live(now), nil
}

// live returns the record unless it has expired.
func (r record) live(now int64) record {
	if r.deadline <= now {
		return record{}
	}
	return r
}

// entry returns the record as an entry, with the same value.
func (r record) entry(now int64) sessionstore.Entry {
	if r.value == nil {
		return sessionstore.Entry{}
	}
	left := r.deadline - now
	if left > math.MaxInt64/int64(time.Millisecond) {
		return sessionstore.Entry{Value: r.value, TTL: math.MaxInt64}
	}
	return sessionstore.Entry{Value: r.value, TTL: time.Duration(left) * time.Millisecond}
}

// deadline returns when a time to live that begins now ends. It rounds up to whole milliseconds.
func deadline(now int64, ttl time.Duration) int64 {
	return now + int64(ttl/time.Millisecond) + int64(min(ttl%time.Millisecond, 1))
}
