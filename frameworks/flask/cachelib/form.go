package cachelib

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// form is how the expiry is written at the beginning of a file. The pickled value follows, in the
// highest protocol of the app's Python, at least 2.
type form int

const (
	// modern is the form of cachelib 0.7 and later: the expiry as an unsigned C int.
	modern form = iota
	// pickled is the form of cachelib before 0.7: the expiry as a separate pickle.
	pickled
)

const (
	// modernLen is the length of the expiry in the modern form.
	modernLen = 4

	// maxPickled is longer than any pickled expiry.
	maxPickled = 32

	maxFile = maxPickled + sessionstore.MaxValue
)

// never is the expiry of a session that does not expire.
const never = 0

var (
	errForeign  = fmt.Errorf("%w: not a file of cachelib, left unchanged", sessionstore.ErrRecord)
	errTooLarge = fmt.Errorf("%w: file is larger than %d bytes", sessionstore.ErrRecord, sessionstore.MaxValue)
)

// content is the content of a file.
type content struct {
	form   form
	expiry int64 // Unix time of the last valid second, or never
	value  []byte

	// at is the offset of a four-byte expiry, or -1 if it is not in four bytes.
	at int
}

// parse reads a file. The two forms cannot be confused: where the modern one has the first byte of
// the value (0x80), the pickled one has the highest byte of an expiry before 2038, the end of the
// first pickle, or the upper byte of a length.
func parse(raw []byte) (content, error) {
	c, ok := parsePickled(raw)
	if !ok {
		if len(raw) < modernLen {
			return content{}, errForeign
		}
		c = content{modern, int64(binary.NativeEndian.Uint32(raw)), raw[modernLen:], 0}
	}
	switch {
	case !isPickle(c.value):
		return content{}, errForeign
	case len(c.value) > sessionstore.MaxValue:
		return content{}, errTooLarge
	default:
		return c, nil
	}
}

// Content returns the value in a cachelib file and its expiry: the zero time if it never expires.
func Content(file []byte) (value []byte, expiry time.Time, ok bool) {
	c, err := parse(file)
	if err != nil {
		return nil, time.Time{}, false
	}
	if c.expiry != never {
		expiry = time.Unix(c.expiry, 0)
	}
	return c.value, expiry, true
}

// isPickle reports whether a value begins like a pickle of protocol 2 or later.
func isPickle(value []byte) bool {
	return len(value) > 2 && value[0] == opProto && 2 <= value[1] && value[1] <= 5
}

// The opcodes of a pickled number.
const (
	opProto    = 0x80
	opFrame    = 0x95
	opStop     = '.'
	opBinInt1  = 'K'
	opBinInt2  = 'M'
	opBinInt   = 'J'
	opLong1    = 0x8a
	opLongText = 'L'
)

func parsePickled(raw []byte) (content, bool) {
	n, at, end, ok := number(raw)
	switch {
	case !ok, !isPickle(raw[end:]):
		return content{}, false
	case n == never:
	case n <= math.MaxUint16, raw[0] == opProto && raw[2] != opFrame:
		return content{}, false // not a time of this century, or not the way Python writes it
	}
	return content{pickled, n, raw[end:], at}, true
}

// number reads a pickled number of any protocol, as Python writes it. at is the offset of the four
// bytes of a BININT, or -1; end is the offset after the pickle.
func number(raw []byte) (n int64, at, end int, ok bool) {
	b, frame := raw, -1
	if len(b) > 2 && b[0] == opProto && 2 <= b[1] && b[1] <= 5 {
		b = b[2:]
		if len(b) > 9 && b[0] == opFrame && binary.LittleEndian.Uint64(b[1:]) <= maxPickled {
			frame = int(b[1])
			b = b[9:]
		}
	}
	if len(b) == 0 {
		return 0, 0, 0, false
	}
	whole := len(b)
	op, b := b[0], b[1:]
	at = -1
	switch {
	case op == opBinInt1 && len(b) > 1:
		n, b = int64(b[0]), b[1:]
	case op == opBinInt2 && len(b) > 2 && b[1] > 0: // smaller numbers are written as BININT1
		n, b = int64(binary.LittleEndian.Uint16(b)), b[2:]
	case op == opBinInt && len(b) > 4:
		at = len(raw) - len(b)
		n, b = int64(int32(binary.LittleEndian.Uint32(b))), b[4:]
	case op == opLong1 && frame >= 0 && len(b) > 6 && b[0] == 5 && b[5] < 0x80: // five bytes: after 2038
		n, b = int64(binary.LittleEndian.Uint32(b[1:]))|int64(b[5])<<32, b[6:]
	case op == opLongText:
		digits := 0
		for digits < len(b) && digits < 12 && '0' <= b[digits] && b[digits] <= '9' {
			digits++
		}
		var err error
		if n, err = strconv.ParseInt(string(b[:digits]), 10, 64); err != nil || len(b) < digits+3 || string(b[digits:digits+2]) != "L\n" {
			return 0, 0, 0, false
		}
		b = b[digits+2:]
	default:
		return 0, 0, 0, false
	}
	if len(b) == 0 || b[0] != opStop || frame >= 0 && frame != whole-len(b)+1 {
		return 0, 0, 0, false
	}
	return n, at, len(raw) - len(b) + 1, true
}

// append is the reverse of parse. It writes pickles of protocol 1, which every cachelib reads.
func (c content) append(b []byte) []byte {
	switch {
	case c.form == modern:
		b = binary.NativeEndian.AppendUint32(b, uint32(min(c.expiry, math.MaxUint32)))
	case c.expiry > math.MaxInt32:
		b = append(strconv.AppendInt(append(b, opLongText), c.expiry, 10), 'L', '\n', opStop)
	case c.expiry == never:
		b = append(b, opBinInt1, 0, opStop)
	default:
		b = append(binary.LittleEndian.AppendUint32(append(b, opBinInt), uint32(c.expiry)), opStop)
	}
	return append(b, c.value...)
}

// expiryBytes returns the bytes for content.at, if four bytes are enough.
func (c content) expiryBytes(expiry int64) ([]byte, bool) {
	switch {
	case c.at < 0, expiry > math.MaxInt32:
		return nil, false
	case c.form == modern:
		return binary.NativeEndian.AppendUint32(nil, uint32(expiry)), true
	default:
		return binary.LittleEndian.AppendUint32(nil, uint32(expiry)), true
	}
}
