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

// A file has a header and the record. The header is big-endian:
//
//	"CSF", 1 (the version of the format)
//	deadline, Unix milliseconds, 8 bytes
//	length of the record, 4 bytes
//	CRC-32C of the record, 4 bytes
//	CRC-32C of the header so far, 4 bytes
//
// A touch overwrites the header, which lies within one sector of the disk.
const (
	magic     = "CSF\x01"
	headerLen = 24
	maxFile   = headerLen + sessionstore.MaxValue
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

func headerOf(deadline int64, value []byte) header {
	return header{deadline, uint32(len(value)), crc32.Checksum(value, castagnoli)}
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

// record is the content of a file. Its value is a slice of the buffer that was read.
type record struct {
	header
	value []byte
}

func parse(raw []byte) (record, error) {
	h, err := parseHeader(raw)
	if err != nil {
		return record{}, err
	}
	value := raw[headerLen:]
	if uint64(len(value)) != uint64(h.length) || crc32.Checksum(value, castagnoli) != h.sum {
		return record{}, errDamaged
	}
	return record{h, value}, nil
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
