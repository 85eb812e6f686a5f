package file

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// A file has a header and a body: the length of the key in a byte, the key, and the record. The
// header is big-endian:
//
//	"CSF", 2 (the version of the format)
//	deadline, Unix milliseconds, 8 bytes
//	length of the body, 4 bytes
//	CRC-32C of the body, 4 bytes
//	CRC-32C of the header so far, 4 bytes
//
// A touch overwrites the header, which lies within one sector of the disk.
const (
	magic     = "CSF\x02"
	headerLen = 24
	maxFile   = headerLen + 1 + sessionstore.MaxKey + sessionstore.MaxValue
)

var (
	errForeign = fmt.Errorf("%w: it is not a session file, and is left alone", sessionstore.ErrRecord)
	errDamaged = fmt.Errorf("%w: the session file is damaged, and is left alone", sessionstore.ErrRecord)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the header of a file.
type header struct {
	deadline int64
	length   uint32
	sum      uint32
}

// encode returns the content of a file.
func encode(key string, deadline int64, value []byte) []byte {
	raw := make([]byte, headerLen, headerLen+1+len(key)+len(value))
	raw = append(raw, byte(len(key)))
	raw = append(raw, key...)
	raw = append(raw, value...)
	body := raw[headerLen:]
	header{deadline, uint32(len(body)), crc32.Checksum(body, castagnoli)}.append(raw[:0])
	return raw
}

func (h header) append(b []byte) []byte {
	start := len(b)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.deadline))
	b = binary.BigEndian.AppendUint32(b, h.length)
	b = binary.BigEndian.AppendUint32(b, h.sum)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func parseHeader(raw []byte) (header, error) {
	switch {
	case len(raw) < len(magic) && bytes.HasPrefix([]byte(magic), raw):
		return header{}, errDamaged
	case !bytes.HasPrefix(raw, []byte(magic)):
		return header{}, errForeign
	case len(raw) < headerLen,
		crc32.Checksum(raw[:headerLen-4], castagnoli) != binary.BigEndian.Uint32(raw[headerLen-4:]):
		return header{}, errDamaged
	}
	return header{
		deadline: int64(binary.BigEndian.Uint64(raw[4:])),
		length:   binary.BigEndian.Uint32(raw[12:]),
		sum:      binary.BigEndian.Uint32(raw[16:]),
	}, nil
}

// record is the content of a file. Its key and value are slices of the buffer that was read.
type record struct {
	header
	key, value []byte
}

func parse(raw []byte) (record, error) {
	h, err := parseHeader(raw)
	if err != nil {
		return record{}, err
	}
	body := raw[headerLen:]
	if uint64(len(body)) != uint64(h.length) || crc32.Checksum(body, castagnoli) != h.sum || len(body) == 0 || len(body) <= int(body[0]) {
		return record{}, errDamaged
	}
	value := 1 + int(body[0])
	return record{h, body[1:value], body[value:]}, nil
}

func (r record) live(now int64) bool { return r.deadline > now }

// entry copies the record, as its buffer is used again.
func (r record) entry(now int64) sessionstore.Entry {
	if !r.live(now) {
		return sessionstore.Entry{}
	}
	left := min(r.deadline-now, math.MaxInt64/int64(time.Millisecond))
	value := make([]byte, len(r.value))
	copy(value, r.value)
	return sessionstore.Entry{Value: value, TTL: time.Duration(left) * time.Millisecond}
}

// deadline rounds up to the millisecond.
func deadline(now int64, ttl time.Duration) int64 {
	left := int64(ttl / time.Millisecond)
	if ttl%time.Millisecond > 0 {
		left++
	}
	return now + left
}
